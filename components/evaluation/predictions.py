"""What the model answered, image by image: a table that the gate, TFMA and the report share.

Parquet files in the folder `predictions` of the evaluation, one row an image of val and test:

| column                                        | type                                           |
|-----------------------------------------------|------------------------------------------------|
| image_id, path, split                         | string                                         |
| cluster                                       | string, see `Predictions.clusters`             |
| label                                         | string, null for an unlabelled image           |
| answer, score, probabilities                  | string, float32, list<float32>[C]              |
| fold                                          | int64, null where the model itself answered    |
| served_answer, served_probabilities           | by the model itself, where they differ, or null |
| baseline_answer                               | string, null where the baseline was not asked  |
| brightness, contrast, sharpness               | float32, see `components.ingestion.facts`      |
| width, height, size                           | int64, pixels; size is the longer side         |
| source_format, meta_<name>                    | string, null where an image has none           |
| <fact>_bucket                                 | string, see `slices`                           |

The baseline is asked about images that neither model has seen (`unseen_images`). In format 1 it
answered all images, also those that it was trained on; these answers are not read. A table without
clusters is read as if each image were one of its own. The schema's metadata has under `thawline`
the JSON `{"format": 2, "classes": [...], "edges": {"<fact>_bucket": [low, high]}}`.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from thawline.components.shared.errors import DataError

FOLDER = 'predictions'
FORMAT, OLDER_FORMATS = 2, (1,)
UNKNOWN, NOT_ASKED = -1, -2
NO_FOLD = -1
_KEY = b'thawline'
_TEXTS = ('image_id', 'path', 'split', 'label', 'answer', 'baseline_answer')
_NOT_COLUMNS = {
    *_TEXTS, 'cluster', 'score', 'probabilities', 'baseline_probabilities', 'fold',
    'served_answer', 'served_probabilities',
}  # fmt: skip

Edges = Mapping[str, tuple[float, float]]


@dataclasses.dataclass(frozen=True)
class Predictions:
    """The table in memory, ordered by split and path.

    Attributes:
        ids, paths, splits: str [N].
        clusters: str [N]; images of one cluster are not independent: they share a group, their
            bytes, or near-duplicates.
        labels: int64 [N], positions in `classes`; -1 for unlabelled images and for those of a
            class that training never saw.
        labelled: bool [N].
        answers: int64 [N].
        scores: float32 [N], probability of the answer.
        probabilities: float32 [N, C].
        baseline_answers: int64 [N], `NOT_ASKED` for images that either model has seen; None where
            no baseline answered any.
        columns: by name, [N]: facts as numbers, all else as str or None (dtype object).
        classes: C names in the order of the outputs.
        edges: of each column of buckets, see `slices.bucket`.
        folds: int64 [N]; an answer with a fold is by weights and choices that had not seen the
            image, `NO_FOLD` where the model itself answered.
        served_answers, served_probabilities: of the model itself, int64 [N] and float32 [N, C];
            `NOT_ASKED` and NaN where it was not asked.
    """

    ids: np.ndarray
    paths: np.ndarray
    splits: np.ndarray
    clusters: np.ndarray
    labels: np.ndarray
    labelled: np.ndarray
    answers: np.ndarray
    scores: np.ndarray
    probabilities: np.ndarray
    baseline_answers: np.ndarray | None
    columns: dict[str, np.ndarray]
    classes: tuple[str, ...]
    edges: dict[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    folds: np.ndarray = dataclasses.field(default_factory=lambda: np.array(NO_FOLD))
    served_answers: np.ndarray = dataclasses.field(default_factory=lambda: np.array(NOT_ASKED))
    served_probabilities: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        # Without answers that were held out, all are of the model itself.
        if not self.folds.ndim:
            object.__setattr__(self, 'folds', np.full(len(self.ids), NO_FOLD))
            object.__setattr__(self, 'served_answers', self.answers)
            object.__setattr__(self, 'served_probabilities', self.probabilities)

    def __len__(self) -> int:
        return len(self.ids)


def schema(classes: Sequence[str], metadata: Iterable[str], edges: Edges) -> pa.Schema:
    """The schema of the table.

    Args:
        classes: of the candidate.
        metadata: names of the columns that the images came with, `meta_<name>`.
        edges: of the columns of buckets.
    """
    vector = pa.list_(pa.float32())
    fields = [
        *((name, pa.string()) for name in _TEXTS),
        ('cluster', pa.string()),
        ('score', pa.float32()),
        ('probabilities', vector),
        ('fold', pa.int64()),
        ('served_answer', pa.string()),
        ('served_probabilities', vector),
        *((name, pa.float32()) for name in ('brightness', 'contrast', 'sharpness')),
        *((name, pa.int64()) for name in ('width', 'height', 'size')),
        ('source_format', pa.string()),
        *((name, pa.string()) for name in metadata),
        *((name, pa.string()) for name in edges),
    ]
    described = {'format': FORMAT, 'classes': list(classes), 'edges': dict(edges)}
    return pa.schema(fields, metadata={_KEY: json.dumps(described, ensure_ascii=False)})


def table(rows: Mapping[str, Sequence[Any]], columns: pa.Schema) -> pa.Table:
    """A piece of the table; columns that are missing in `rows` are null."""
    n = len(rows['image_id'])
    arrays = [pa.array(rows.get(field.name, [None] * n), field.type) for field in columns]
    return pa.Table.from_arrays(arrays, schema=columns)


def vectors(values: np.ndarray) -> pa.Array:
    """Rows of probabilities as a column: float32 [N, C]."""
    offsets = np.arange(len(values) + 1, dtype=np.int32) * values.shape[1]
    return pa.ListArray.from_arrays(offsets, values.astype(np.float32).ravel())


def folder(uri: str) -> str:
    """Where an evaluation has its predictions."""
    return os.path.join(uri, FOLDER)


def read(uri: str) -> Predictions:
    """Reads the predictions of the evaluation at `uri`.

    Raises:
        DataError: there are none, or they are damaged or of another format.
    """
    where = folder(uri)
    try:
        stored = pq.read_table(where)
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f'The predictions in {where} cannot be read ({reason}); recreate them with: '
            'thawline run --no-cache'
        ) from error
    described = json.loads((stored.schema.metadata or {}).get(_KEY, b'{}'))
    if described.get('format') not in (FORMAT, *OLDER_FORMATS):
        raise DataError(
            f'The predictions in {where} have format {described.get("format")!r}, not {FORMAT}.'
        )
    classes = tuple(described['classes'])
    edges = {name: (low, high) for name, (low, high) in described['edges'].items()}
    rows = stored.sort_by([('split', 'ascending'), ('path', 'ascending')])
    return _from_table(rows, classes, edges, described['format'] == FORMAT)


def _from_table(
    rows: pa.Table,
    classes: tuple[str, ...],
    edges: dict[str, tuple[float, float]],
    has_baseline: bool,
) -> Predictions:
    texts = {name: rows[name].to_numpy() for name in _TEXTS}
    position = {name: place for place, name in enumerate(classes)}

    def places(names: np.ndarray) -> np.ndarray:
        return np.array([position.get(name, UNKNOWN) for name in names], np.int64)

    probabilities = rows['probabilities'].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    ids = texts['image_id'].astype(str)
    clusters = ids
    if 'cluster' in rows.column_names:
        named = rows['cluster'].to_numpy()
        clusters = np.where(rows['cluster'].is_null().to_numpy(), ids, named).astype(str)
    probabilities = probabilities.astype(np.float32).reshape(len(rows), len(classes))
    asked = ~rows['baseline_answer'].is_null().to_numpy()
    return Predictions(
        ids=ids,
        paths=texts['path'].astype(str),
        splits=texts['split'].astype(str),
        clusters=clusters,
        labels=places(texts['label']),
        labelled=np.array([name is not None for name in texts['label']], bool),
        answers=places(texts['answer']),
        scores=rows['score'].to_numpy().astype(np.float32),
        probabilities=probabilities,
        baseline_answers=(
            np.where(asked, places(texts['baseline_answer']), NOT_ASKED)
            if has_baseline and asked.any()
            else None
        ),
        **_held_out(rows, places, places(texts['answer']), probabilities),
        columns={
            name: rows[name].to_numpy() for name in rows.column_names if name not in _NOT_COLUMNS
        },
        classes=classes,
        edges=edges,
    )


def _held_out(
    rows: pa.Table,
    places: Callable[[np.ndarray], np.ndarray],
    answers: np.ndarray,
    probabilities: np.ndarray,
) -> dict[str, np.ndarray]:
    """What tells answers that were held out from those of the model; older tables have these."""
    if 'fold' not in rows.column_names:
        return {}
    folds = rows['fold'].fill_null(NO_FOLD).to_numpy()
    asked = ~rows['served_answer'].is_null().to_numpy()
    held = folds != NO_FOLD
    served = np.where(held, NOT_ASKED, answers)
    served[asked] = places(rows['served_answer'].to_numpy()[asked])
    own = np.where(held[:, None], np.float32(np.nan), probabilities)
    vectors = rows['served_probabilities'].combine_chunks().flatten()
    own[asked] = vectors.to_numpy(zero_copy_only=False).reshape(-1, probabilities.shape[1])
    return {'folds': folds, 'served_answers': served, 'served_probabilities': own}
