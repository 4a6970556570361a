"""Reports that Spark has no free worker for a job: Spark itself waits silently forever."""

from __future__ import annotations

import contextlib
import logging
import pathlib
import threading
import time
from collections.abc import Iterator

from thawline.components.shared import progress

_WAITING = b'Initial job has not accepted any resources'  # Spark's driver, every 15 s
_POLL = 5.0  # seconds
_OVER_AFTER = 20.0  # seconds without the line


@contextlib.contextmanager
def report_waiting(log: pathlib.Path | None, remark: str) -> Iterator[None]:
    """Watches a job server's log in the block: while Spark waits, the progress says so.

    `remark` is what the progress says otherwise.
    """
    if log is None:
        yield
        return
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(log, remark, over), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _watch(log: pathlib.Path, remark: str, over: threading.Event) -> None:
    position, last = log.stat().st_size, None
    while not over.wait(_POLL):
        with log.open('rb') as file:
            file.seek(position)
            new = file.read()
        position += len(new)
        if _WAITING in new:
            if last is None:
                logging.warning('Spark has no free worker for the job; its log: %s', log)
            last = time.monotonic()
            progress.note(f'{remark}; waiting for a free Spark worker')
        elif last is not None and time.monotonic() - last > _OVER_AFTER:
            last = None
            progress.note(remark)
