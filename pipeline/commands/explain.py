"""`thawline explain`: where a model came from, and where it went."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING

import click

from thawline.pipeline.commands.arguments import project_argument
from thawline.pipeline.terminal.console import say, wide_console

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
    from thawline.pipeline.registry import access, lookup, provenance

    console = wide_console(sys.stdout)
    registry = access.to_look(project, functools.partial(say, console))
    for chapter in provenance.tell(registry, lookup.find(registry, model)):
        say(console, (chapter.title, 'bold'))
        for line in chapter.lines:
            say(console, f'  {line}')
