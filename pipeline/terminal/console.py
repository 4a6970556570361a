"""The console that commands print to."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from typing import Any

import rich.cells
import rich.console
import rich.text

WIDE = 116  # columns from which a table shows every number
_LEAST_ROOM = 30  # columns that a text beside others needs
_INDENT = 4  # of a text that goes on below a line


def echo(text: object, error: bool = False) -> None:
    """Prints a line as it is, to standard output or error.

    Click's own way writes UTF-8 where the terminal asks for ASCII.
    """
    print(text, file=sys.stderr if error else sys.stdout, flush=True)


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
    text = rich.text.Text.assemble(*parts)
    indent = len(text.plain) - len(text.plain.lstrip(' '))
    say_after(console, text[:indent], text[indent:])


def say_after(console: rich.console.Console, head: rich.text.Text, body: rich.text.Text) -> None:
    """Prints a line whose body, on a terminal, goes on below itself, or else below its head.

    Only a word, such as a path, that is longer than a whole line is left to the terminal to break;
    it breaks none that can be selected as one.
    """
    for line in _lines(console, head, body):
        console.print(line, highlight=False, soft_wrap=True)


def _lines(
    console: rich.console.Console, head: rich.text.Text, body: rich.text.Text
) -> Iterator[rich.text.Text]:
    room = console.width - head.cell_len
    if not console.is_terminal or (body.cell_len <= room and '\n' not in body.plain):
        yield head + body
        return
    longest = max(map(rich.cells.cell_len, body.plain.split()), default=0)
    indent = head.cell_len
    if longest > room or room < min(_LEAST_ROOM, body.cell_len):
        if head.plain.strip():
            yield head
        indent, head = _INDENT, rich.text.Text(' ' * _INDENT)
    margin = rich.text.Text(' ' * indent)
    for paragraph in body.split('\n'):
        for line in _fill(paragraph, console.width - indent):
            yield head + line
            head = margin


def _fill(text: rich.text.Text, width: int) -> Iterator[rich.text.Text]:
    """Lines of whole words; rich's own wrapping cuts those that are longer than a line."""
    breaks, column = [], 0
    for word in re.finditer(r'\S+(?: %\S*)?\s*', text.plain):  # '84.2 %' is a word
        if column and column + rich.cells.cell_len(word[0].rstrip()) > width:
            breaks.append(word.start())
            column = 0
        column += rich.cells.cell_len(word[0])
    for line in text.divide(breaks):
        line.rstrip()
        yield line
