"""Lines on the terminal, and how wide it is."""

from __future__ import annotations

from typing import Any

import rich.console
import rich.live
import rich.markup
import rich.progress
import rich.text

ROOMY = 116  # columns of text from which a table has room for every number


def roomy_console(file: Any) -> rich.console.Console:
    """A console that takes `ROOMY` columns where what it writes to is no terminal."""
    console = rich.console.Console(file=file)
    if not console.is_terminal and console.width < ROOMY:
        console.width = ROOMY  # a file has no edge
    return console


def say(console: rich.console.Console, *parts: str | tuple[str, str]) -> None:
    """Prints a line of texts, each plain or with its style; nothing in them is markup."""
    console.print(rich.text.Text.assemble(*parts), highlight=False, soft_wrap=True)
