"""`thawline compile`: the pipeline as a file for schedulers and `thawline run-node`."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING

import click

from thawline.pipeline.commands.arguments import PATH, project_argument

if TYPE_CHECKING:
    from thawline.pipeline.config.project import Project


@click.command()
@project_argument
@click.option(
    '--out', type=PATH, metavar='FILE', help="Default: pipeline.json in the project's output."
)
def command(project: Project, out: pathlib.Path | None) -> None:
    """Compile the pipeline to a file for schedulers.

    `thawline run-node` runs its nodes.
    """
    import rich.console

    from thawline.pipeline.runners import compiled_file, compiling
    from thawline.pipeline.terminal import exit_codes
    from thawline.pipeline.terminal.console import say

    path = out or project.output / compiled_file.FILE
    content = compiling.compile_project(project)
    compiled_file.write(path, content)
    console = rich.console.Console()
    say(console, f'wrote {path}: {len(content.nodes)} nodes, {content.digest[:19]}')
    exit_codes.leave(exit_codes.Outcome.BLESSED)
