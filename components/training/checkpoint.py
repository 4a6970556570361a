"""The checkpoint of an unfinished training, from which a killed one resumes.

One file, replaced atomically after each epoch: a kill at any moment leaves that of the last whole
epoch. It holds arrays and a JSON text only (no pickle), so reading it runs no code. Two runs may do
the very same training at once; they may share the file, and the first to end may remove it.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import pathlib
import zipfile
from typing import Any

import numpy as np

from thawline.components.shared import files

_META = 'meta'
# What numpy and zipfile raise on damaged files.
_DAMAGE = (
    OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, zipfile.BadZipFile
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """Arrays by name, and JSON values."""

    arrays: dict[str, np.ndarray]
    meta: dict[str, Any]


class CheckpointFile:
    """Keeps one checkpoint in `folder`, for one training.

    `key` covers everything that the training depends on; a checkpoint with another key is of
    another training and is not used.
    """

    def __init__(self, folder: pathlib.Path, key: str) -> None:
        self._folder = folder
        self._path = folder / 'state.npz'
        self._key = key

    def child(self, name: str) -> CheckpointFile:
        """That of a part of this training."""
        return CheckpointFile(self._folder / name, f'{self._key}:{name}')

    def save(self, state: Checkpoint) -> None:
        """Replaces the checkpoint."""
        self._folder.mkdir(parents=True, exist_ok=True)
        meta = json.dumps({'key': self._key, 'names': sorted(state.arrays), **state.meta})
        try:
            with files.replacement(self._path) as draft, draft.open('wb') as file:
                np.savez(file, **{_META: np.array(meta)}, **state.arrays)  # type: ignore[arg-type]
                file.flush()
                os.fsync(file.fileno())
        except FileNotFoundError as error:
            logging.info('%s was removed: another run does this training too', error.filename)
        self._remove_drafts()

    def load(self) -> Checkpoint | None:
        """The checkpoint, or None when there is none for this key that can be read."""
        if not self._path.exists():
            return None
        try:
            # Opened here, because numpy leaves a file open that turns out to be no archive.
            with self._path.open('rb') as opened, np.load(opened, allow_pickle=False) as file:
                meta = json.loads(str(file[_META]))
                arrays = {name: file[name] for name in file.files if name != _META}
        except _DAMAGE as error:
            logging.warning('checkpoint %s cannot be read and is not used: %s', self._path, error)
            return None
        if not isinstance(meta, dict) or meta.pop('key', None) != self._key:
            return None
        # A damaged directory of the archive can hide an array without any error.
        if meta.pop('names', None) != sorted(arrays):
            logging.warning(
                'checkpoint %s cannot be read and is not used: it lacks arrays', self._path
            )
            return None
        return Checkpoint(arrays, meta)

    def clear(self) -> None:
        """Removes the checkpoint, for the training is complete."""
        self._path.unlink(missing_ok=True)
        self._remove_drafts()

    def _remove_drafts(self) -> None:
        """Removes what a kill left, or another run is writing, which will write the next one."""
        for path in self._folder.glob(f'.{self._path.name}-*'):
            path.unlink(missing_ok=True)
