"""Answers to images by weights and choices that saw neither them nor a relative of theirs.

The Trainer writes them beside its record; they are what a model is judged by on val. The model that
ships has learned from these images, or was chosen by them, and its own answers would flatter it.

One Parquet file, `held_out_answers.parquet`, a row an image: `image_id` (string), `fold` and
`answer` (int64; the answer is a position of a class), `probabilities` (list of float64). The
schema's metadata has under `thawline` the JSON `{"by_folds": bool, "tuned": bool}`.
"""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from thawline.components.shared.errors import DataError

FILE = 'held_out_answers.parquet'
_KEY = b'thawline'
_SCHEMA = pa.schema(
    [
        ('image_id', pa.string()),
        ('fold', pa.int64()),
        ('answer', pa.int64()),
        ('probabilities', pa.list_(pa.float64())),
    ]
)


@dataclasses.dataclass(frozen=True)
class HeldOutAnswers:
    """An answer an image.

    Attributes:
        ids: bytes, as object [N].
        fold: int64 [N]; images of one fold were answered by the same weights and choices.
        answers: int64 [N], positions of classes.
        probabilities: float64 [N, C], calibrated.
        by_folds: whether they are of all images that the model learned from, in turn, or of val.
        tuned: whether the settings were tuned on these images, and so are not held out.
    """

    ids: np.ndarray
    fold: np.ndarray
    answers: np.ndarray
    probabilities: np.ndarray
    by_folds: bool = False
    tuned: bool = False

    @classmethod
    def empty(cls, ids: np.ndarray, fold: np.ndarray, classes: int, by_folds: bool = False) -> Self:
        """Answers that are still to be filled in."""
        n = len(ids)
        answers, probabilities = np.zeros(n, np.int64), np.zeros((n, classes))
        return cls(ids, fold.astype(np.int64), answers, probabilities, by_folds)

    def __len__(self) -> int:
        return len(self.ids)

    def write(self, folder: os.PathLike[str] | str) -> None:
        """Writes the file into an existing folder."""
        columns = [
            pa.array([identity.decode() for identity in self.ids], pa.string()),
            pa.array(self.fold, pa.int64()),
            pa.array(self.answers, pa.int64()),
            pa.array(list(self.probabilities), _SCHEMA.field('probabilities').type),
        ]
        about = json.dumps({'by_folds': self.by_folds, 'tuned': self.tuned})
        schema = _SCHEMA.with_metadata({_KEY: about})
        pq.write_table(pa.Table.from_arrays(columns, schema=schema), os.path.join(folder, FILE))

    @classmethod
    def read(cls, folder: os.PathLike[str] | str) -> Self | None:
        """Those that a Trainer wrote; None where an older version wrote none.

        Raises:
            DataError: the file is damaged.
        """
        file = os.path.join(folder, FILE)
        try:
            table = pq.read_table(file)
            about = json.loads((table.schema.metadata or {})[_KEY])
            columns = {name: table[name].combine_chunks() for name in _SCHEMA.names}
        except FileNotFoundError:
            return None
        except (OSError, pa.ArrowException, KeyError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise DataError(
                f'{file} cannot be read ({reason}); recreate it with: thawline run --no-cache'
            ) from error
        names = columns['image_id'].to_pylist()
        ids = np.array([name.encode() for name in names], object)
        chances = columns['probabilities'].flatten().to_numpy(zero_copy_only=False)
        return cls(
            ids,
            columns['fold'].to_numpy(),
            columns['answer'].to_numpy(),
            chances.reshape(len(ids), -1) if len(ids) else np.zeros((0, 0)),
            about['by_folds'],
            about['tuned'],
        )
