"""Two runs at once that do the very same training share its state."""

from __future__ import annotations

import multiprocessing
import pathlib
from typing import Any

import numpy as np

from thawline.components.training.checkpoint import Checkpoint, CheckpointFile


def _saves(folder: pathlib.Path, started: Any, ended: Any) -> None:
    kept = CheckpointFile(folder, 'k')
    for epoch in range(40):
        kept.save(Checkpoint({'a': np.full(1000, epoch)}, {'epoch': epoch}))
        if epoch == 0:
            started.release()
    ended.put('well')


def test_two_runs_may_do_the_same_training_at_once(tmp_path: pathlib.Path) -> None:
    context = multiprocessing.get_context('fork')
    started, ended = context.Semaphore(0), context.Queue()
    saving = [context.Process(target=_saves, args=[tmp_path, started, ended]) for _ in range(2)]
    for one in saving:
        one.start()
    for _ in saving:
        assert started.acquire(timeout=60)
    first, seen = CheckpointFile(tmp_path, 'k'), 0
    for _ in range(20):
        saved = first.load()
        seen += saved is not None
        assert saved is None or set(saved.arrays['a']) == {saved.meta['epoch']}
        first.clear()
    assert [ended.get(timeout=60) for _ in saving] == ['well', 'well']
    for one in saving:
        one.join()
    assert seen, 'a state was read while others were written'
    first.clear()
    assert list(tmp_path.iterdir()) == []
