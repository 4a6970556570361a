"""How commands on the registry speak to the terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import click
import rich.console
import rich.progress

from thawline.components.shared.errors import ConfigError
from thawline.pipeline.registry.ledger import Move
from thawline.pipeline.registry.promotion import Tell
from thawline.pipeline.terminal import console as console_lib
from thawline.pipeline.terminal.console import roomy_console

DECLINED = 1  # exit code where the person at the prompt said no


def console() -> rich.console.Console:
    """Where commands print."""
    return roomy_console(sys.stdout)


def say(to: rich.console.Console, line: str) -> None:
    """Prints a line; nothing in it is markup."""
    console_lib.say(to, line)


@contextlib.contextmanager
def progress(to: rich.console.Console) -> Iterator[Tell]:
    """Shows a bar for work that is counted and a spinner for other work, on a terminal."""
    if not to.is_terminal:
        yield lambda what, done, total: None
        return
    bar = rich.progress.Progress(
        rich.progress.SpinnerColumn(),
        rich.progress.TextColumn('{task.description}'),
        rich.progress.BarColumn(bar_width=24),
        rich.progress.TimeElapsedColumn(),
        console=to,
        transient=True,
    )
    with bar:
        task = bar.add_task('', total=None)
        yield lambda what, done, total: bar.update(
            task, description=what, completed=done, total=total or None
        )


def agreed(to: rich.console.Console, question: str, yes: bool) -> bool:
    """Whether the person at the prompt agrees.

    Raises:
        ConfigError: there is none to ask, and no --yes.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise ConfigError('there is no terminal to ask for confirmation; add --yes to go ahead')
    if click.confirm(question):
        return True
    say(to, 'nothing was changed')
    return False


def megabytes(size: int) -> str:
    """'11.4 MB'."""
    return f'{size / 1e6:,.1f} MB'


def served(to: rich.console.Console, move: Move) -> None:
    """Says what is served now, where, and instead of what."""
    console_lib.say(
        to, ('✓ ', 'green'), f'model {move.model} is in {move.stage} as version {move.version}'
    )
    say(to, f'  folder    {move.destination}/{move.version}')
    say(
        to, f'  verified  {megabytes(move.size)}, digest {move.digest[:12]}, {move.loaded} loads it'
    )
    if move.replaced_model:
        say(to, f'  replaced  model {move.replaced_model}, version {move.replaced_version}')
