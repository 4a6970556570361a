"""`thawline explain`: where a model came from, and where it went."""

from __future__ import annotations

import rich.text

from thawline.pipeline.commands import registry_console
from thawline.pipeline.config.project import Project
from thawline.pipeline.registry import access, lookup, provenance


def execute(project: Project, wanted: str) -> None:
    """Prints the story of a model.

    Raises:
        ConfigError: there is no such model.
    """
    console = registry_console.console()
    registry = access.to_look(project, lambda line: registry_console.say(console, line))
    for chapter in provenance.tell(registry, lookup.find(registry, wanted)):
        console.print(rich.text.Text(chapter.title, 'bold'))
        for line in chapter.lines:
            registry_console.say(console, f'  {line}')
