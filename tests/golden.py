"""What people read, kept as files in `tests/golden/`, so that tests of logic need no sentences.

A test marked `golden` hands its text to `check`. Where a wording was changed on purpose, `make
golden` writes the files anew, and the diff of the commit shows what people will read.
"""

from __future__ import annotations

import os
import pathlib

FOLDER = pathlib.Path(__file__).parent / 'golden'
UPDATE = 'THAWLINE_UPDATE_GOLDEN'


def check(name: str, text: str) -> None:
    """Holds a text to the file `name`; what changes from run to run the caller masks.

    Raises:
        AssertionError: they differ; pytest shows the lines.
    """
    file = FOLDER / name
    if os.environ.get(UPDATE):
        FOLDER.mkdir(exist_ok=True)
        file.write_text(text, 'utf-8')
    expected = file.read_text('utf-8') if file.is_file() else ''
    assert text == expected, f'{file} says otherwise; if the new wording is right: make golden'
