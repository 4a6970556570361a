"""Tells whoever watches a run that Spark has no worker for it: Spark waits for one for ever."""

from __future__ import annotations

import contextlib
import logging
import pathlib
import threading
import time
from collections.abc import Iterator

from thawline.components.shared import progress

_SAID = b'Initial job has not accepted any resources'  # by Spark's driver, every 15 s
_LOOK = 5.0  # seconds between two looks at its log
_PAST = 20.0  # seconds without the line after which it is no longer so


@contextlib.contextmanager
def told(log: pathlib.Path | None, words: str) -> Iterator[None]:
    """For the time of the block, remarks on the progress what the log of a job server says of it.

    Args:
        log: of the job server; None: nothing is told.
        words: the remark otherwise.
    """
    if log is None:
        yield
        return
    over = threading.Event()
    watching = threading.Thread(target=_watch, args=(log, words, over), daemon=True)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()


def _watch(log: pathlib.Path, words: str, over: threading.Event) -> None:
    at, last = log.stat().st_size, None
    while not over.wait(_LOOK):
        with log.open('rb') as file:
            file.seek(at)
            new = file.read()
        at += len(new)
        if _SAID in new:
            if last is None:
                logging.warning('Spark has no worker for the job; its log: %s', log)
            last = time.monotonic()
            progress.note(f'{words}; waits, for Spark has no free worker')
        elif last is not None and time.monotonic() - last > _PAST:
            last = None
            progress.note(words)
