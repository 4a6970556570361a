"""What the commands on the registry print with, and how they ask."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click
import rich.console
import rich.progress

from thawline.components.shared.errors import ConfigError
from thawline.pipeline.terminal.console import say, wide_console

if TYPE_CHECKING:
    from thawline.pipeline.config.project import Project
    from thawline.pipeline.registry.ledger import Deployment
    from thawline.pipeline.registry.promotion import OnProgress
    from thawline.pipeline.registry.registry import Registry

DECLINED = 1  # exit code of a command whose confirmation was declined


def open_registry(project: Project) -> tuple[rich.console.Console, Registry]:
    """The console and the registry, for a command that first of all looks.

    Raises:
        ConfigError: nothing ran yet.
    """
    from thawline.pipeline.registry import access

    console = wide_console(sys.stdout)
    return console, access.open_to_read(project, functools.partial(say, console))


def print_disagreements(console: rich.console.Console, registry: Registry) -> None:
    """Prints where the folders of versions differ from the registry."""
    from thawline.pipeline.registry import consistency

    for line in consistency.inconsistencies(registry):
        say(console, f'note: {line}')


@contextlib.contextmanager
def progress(console: rich.console.Console) -> Iterator[OnProgress]:
    """On a terminal, shows a bar for counted work and a spinner for other work."""
    if not console.is_terminal:
        yield lambda what, done, total: None
        return
    bar = rich.progress.Progress(
        rich.progress.SpinnerColumn(),
        rich.progress.TextColumn('{task.description}'),
        rich.progress.BarColumn(bar_width=24),
        rich.progress.TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    with bar:
        task = bar.add_task('', total=None)
        yield lambda what, done, total: bar.update(
            task, description=what, completed=done, total=total or None
        )


def confirm(console: rich.console.Console, question: str, yes: bool) -> bool:
    """Whether the user confirms, at the prompt or by --yes.

    Raises:
        ConfigError: there is neither a prompt nor --yes.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise ConfigError('cannot ask for confirmation without a terminal; add --yes to go ahead')
    if click.confirm(question):
        return True
    say(console, 'nothing was changed')
    return False


def megabytes(size: int) -> str:
    """'11.4 MB'."""
    return f'{size / 1e6:,.1f} MB'


def print_move(console: rich.console.Console, move: Deployment) -> None:
    """Prints what a stage serves now, and what it replaced."""
    where = f'in {move.stage} as version {move.version}'
    say(console, ('✓ ', 'green'), f'model {move.model} is {where}')
    say(console, f'  folder    {move.destination}/{move.version}')
    checks = f'{megabytes(move.size)}, digest {move.digest[:12]}, loads in {move.loaded}'
    say(console, f'  verified  {checks}')
    if move.replaced_model:
        say(console, f'  replaced  model {move.replaced_model}, version {move.replaced_version}')
