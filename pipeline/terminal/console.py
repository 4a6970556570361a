"""The console that commands print to."""

from __future__ import annotations

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


def say(console: rich.console.Console, *parts: str | tuple[str, str]) -> None:
    """Prints a line of texts, each plain or with a style; nothing in them is markup."""
    console.print(rich.text.Text.assemble(*parts), highlight=False, soft_wrap=True)
