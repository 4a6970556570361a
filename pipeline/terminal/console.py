"""The console that commands print to."""

from __future__ import annotations

import contextlib
from typing import Any

import rich.console
import rich.text

WIDE = 116  # columns from which a table shows every number


def wide_console(file: Any) -> rich.console.Console:
    """A console with at least `WIDE` columns unless it writes to a terminal."""
    console = rich.console.Console(file=file)
    if not console.is_terminal and console.width < WIDE:
        console.width = WIDE  # a file has no edge
    return console


def spinner(console: rich.console.Console, text: str) -> contextlib.AbstractContextManager[object]:
    """Shows on a terminal that something takes a while."""
    return console.status(text) if console.is_terminal else contextlib.nullcontext()


def notifying(
    console: rich.console.Console, targets: int
) -> contextlib.AbstractContextManager[object]:
    """Shows on a terminal that so many targets are notified."""
    return spinner(console, f'notifying {targets} {"target" if targets == 1 else "targets"}')


def say(console: rich.console.Console, *parts: str | tuple[str, str]) -> None:
    """Prints a line of texts, each plain or with a style; nothing in them is markup."""
    console.print(rich.text.Text.assemble(*parts), highlight=False, soft_wrap=True)
