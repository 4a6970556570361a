"""What is printed where the terminal, a pipe or the locale cannot show every character.

Signs of ours become words or other signs. All else, as in the name of a file, becomes its number,
so that it can still be told from others. Files, and documents that are printed as bytes, stay in
UTF-8.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import sys

_HANDLER = 'thawline_readable'
_READABLE = {
    '✓': 'ok', '✗': 'failed', '★': '*', '●': 'o', '…': '...', '█': '#', '▒': '=', '┃': '|',
    '≥': '>=', '≤': '<=', '→': '->', '±': '+-', '·': '-', '\N{MULTIPLICATION SIGN}': 'x',
    '\N{EN DASH}': '-', '\N{EM DASH}': '-', '\N{MINUS SIGN}': '-', '\N{NO-BREAK SPACE}': ' ',
}  # fmt: skip
_SPINNER = range(0x2800, 0x2900)  # Braille


def make_readable() -> None:
    """Lets standard output and error take every text, whatever their encoding."""
    codecs.register_error(_HANDLER, _replace)
    for stream in (sys.stdout, sys.stderr):
        # An error where its descriptor was a file when it was opened, and is a pipe now.
        with contextlib.suppress(OSError):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors=_HANDLER)


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return ''.join(_readable(character) for character in text), error.end


def _readable(character: str) -> str:
    if ord(character) in _SPINNER:
        return '.'
    return _READABLE.get(character) or character.encode('ascii', 'backslashreplace').decode('ascii')
