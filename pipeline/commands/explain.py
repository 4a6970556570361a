"""`thawline explain`: where a model came from, and where it went."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from thawline.pipeline.commands import registry_console
from thawline.pipeline.commands.arguments import project_argument
from thawline.pipeline.terminal.console import say

if TYPE_CHECKING:
    from thawline.pipeline.config.project import Project


@click.command()
@click.argument('model', metavar='MODEL')
@project_argument
def command(model: str, project: Project) -> None:
    """Show where a model came from, from its images to production.

    MODEL is an id from `thawline models`, a run id or the start of one, `production`, `staging`,
    `last`, or a model's folder.
    """
    from thawline.pipeline.registry import lookup, provenance

    console, registry = registry_console.open_registry(project)
    for chapter in provenance.describe(registry, lookup.find_model(registry, model)):
        say(console, (chapter.title, 'bold'))
        for line in chapter.lines:
            say(console, f'  {line}')
