"""`thawline explain`: where a model came from, and where it went."""

from __future__ import annotations

import rich.text

from pipeline.config import Config
from pipeline.paths import Project
from pipeline.registry import naming, opened, showing, story


def execute(config: Config, project: Project, wanted: str) -> None:
    """Prints the story of a model.

    Raises:
        ConfigError: there is no such model.
    """
    console = showing.console()
    registry = opened.to_look(config, project, lambda line: showing.say(console, line))
    for chapter in story.tell(registry, naming.find(registry, wanted)):
        console.print(rich.text.Text(chapter.title, 'bold'))
        for line in chapter.lines:
            showing.say(console, f'  {line}')
