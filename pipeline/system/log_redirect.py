"""Sends everything that libraries print to a file, and leaves the terminal to Thawline.

Python's logging is not enough: TensorFlow, ML Metadata and gRPC write to the file descriptors of
standard output and error from C++.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pathlib
import sys
from collections.abc import Iterator
from typing import TextIO

from thawline.components.shared import files

# Thousands of lines a run about types and stages, which bury everything else.
_CHATTY = ('apache_beam.typehints', 'apache_beam.runners', 'apache_beam.internal')


@contextlib.contextmanager
def redirect_output(path: pathlib.Path) -> Iterator[TextIO]:
    """Points descriptors 1 and 2 at a file in the block; yields a stream to the terminal."""
    with files.write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    sys.stdout.flush()
    sys.stderr.flush()
    originals = os.dup(1), os.dup(2)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
    root = logging.getLogger()
    log = os.fdopen(os.dup(2), 'w', encoding='utf-8', errors='backslashreplace')
    handler = logging.StreamHandler(log)
    handler.setFormatter(logging.Formatter('%(asctime)s %(levelname)s %(name)s: %(message)s'))
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    terminal = os.fdopen(
        os.dup(originals[0]), 'w',
        encoding=getattr(sys.stdout, 'encoding', None), errors=getattr(sys.stdout, 'errors', None),
    )  # fmt: skip
    try:
        yield terminal
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        root.removeHandler(handler)
        root.setLevel(before)
        log.close()
        terminal.close()
        for original, target in zip(originals, (1, 2), strict=True):
            os.dup2(original, target)
            os.close(original)
