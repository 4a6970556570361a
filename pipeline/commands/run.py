"""`thawline run`: the whole pipeline, or a part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from thawline.pipeline.commands.arguments import cache_option, engine_option, project_argument

if TYPE_CHECKING:
    from thawline.pipeline.config.project import Project


@click.command()
@project_argument
@click.option(
    '--demo',
    is_flag=True,
    is_eager=True,
    help='Run the solar cells where there is no thawline.yaml and no CONFIG.',
)
@click.option('--from', 'first', multiple=True, metavar='NODE', help='Start at this node.')
@click.option('--to', 'last', multiple=True, metavar='NODE', help='Stop after this node.')
@click.option('--only', metavar='NODE', help='Run this node alone.')
@cache_option
@engine_option
def command(
    project: Project,
    demo: bool,
    first: tuple[str, ...],
    last: tuple[str, ...],
    only: str | None,
    no_cache: bool,
    engine: str | None,
) -> None:
    """Run the pipeline, from images to a blessed model."""
    del demo  # it has chosen the project
    if only and (first or last):
        raise click.UsageError('--only cannot be combined with --from or --to')
    from thawline.pipeline.runners import run
    from thawline.pipeline.terminal import exit_codes

    if only:
        first = last = (only,)
    options = run.RunOptions(first, last, not no_cache)
    exit_codes.leave(run.execute(project.on_engine(engine), options))
