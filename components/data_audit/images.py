"""The images that are audited, as arrays: what is known of them, their features, their facts."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import tensorflow as tf

from thawline.components.embedding.image_embeddings import ImageEmbeddings
from thawline.components.ingestion import examples
from thawline.components.shared import image_table, tf_data
from thawline.components.shared.splits import TEST, part_name

_NUMBERS = ('brightness', 'contrast', 'sharpness', 'width', 'height')
_FORMAT, _METADATA = 'source_format', 'meta_'
_BATCH = 64


@dataclasses.dataclass(frozen=True)
class AuditedImages:
    """Images with a label and features, of all splits.

    Attributes:
        ids, paths, splits: str [N].
        labels: int64 [N], positions in `classes`.
        clusters: str [N]; images of one are not independent.
        confidence: float32 [N] in (0, 1], the known probability that the label is right.
        features: float32 [N, D].
        facts: columns that might tell the class: float [N], or str [N], '' where absent.
        classes: names.
        folds: int64 [N], -1 where an image is in none; None where there are no folds.
    """

    ids: np.ndarray
    paths: np.ndarray
    splits: np.ndarray
    labels: np.ndarray
    clusters: np.ndarray
    confidence: np.ndarray
    features: np.ndarray
    facts: Mapping[str, np.ndarray]
    classes: tuple[str, ...]
    folds: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> AuditedImages:
        """Some of the rows, int64 [M]."""
        columns = {
            name: getattr(self, name)[rows]
            for name in ('ids', 'paths', 'splits', 'labels', 'clusters', 'confidence', 'features')
        }
        facts = {name: values[rows] for name, values in self.facts.items()}
        folds = None if self.folds is None else self.folds[rows]
        return dataclasses.replace(self, **columns, facts=facts, folds=folds)

    @property
    def parts(self) -> np.ndarray:
        """What an image is judged with: its split, or its fold ('fold 2'); str [N]."""
        if self.folds is None:
            return self.splits
        return np.array(list(map(part_name, self.splits, self.folds)), str)

    @property
    def learned(self) -> np.ndarray:
        """The rows that folds are made of: train and val, never test."""
        return np.flatnonzero(self.splits != TEST)


def read(
    files: Mapping[str, Sequence[str]], embedded: ImageEmbeddings, sampled: Collection[str] = ()
) -> tuple[AuditedImages, dict[str, bytes]]:
    """Joins the embeddings with what ingestion wrote, in one pass over the examples.

    Args:
        files: split -> examples of the ingestion.
        embedded: of all splits; images of classes that training never saw are left out.
        sampled: ids of images whose bytes are wanted.

    Returns:
        The images in the order of `embedded`, and the encoded images of `sampled`.
    """
    known: dict[str, dict[str, str | float]] = {}
    encoded: dict[str, bytes] = {}
    for of_split in files.values():
        for batch in tf_data.batches(of_split, _BATCH).as_numpy_iterator() if of_split else ():
            for serialized in batch:
                example = tf.train.Example.FromString(serialized)
                name = str(examples.text(example, 'image_id'))
                known[name] = _row(example)
                if name in sampled:
                    encoded[name] = example.features.feature['image'].bytes_list.value[0]
    kept = embedded.take(
        np.array([r for r, i in enumerate(embedded.ids) if i in known and embedded.labels[r] >= 0],
                 np.int64)
    )  # fmt: skip
    rows = [known[str(name)] for name in kept.ids]
    labels = np.array([str(row['label']) for row in rows], str)
    classes, positions = np.unique(labels, return_inverse=True)
    folds = np.array([row['fold'] for row in rows], np.int64)
    columns = sorted({name for row in rows for name in row if name.startswith(_METADATA)})
    facts: dict[str, np.ndarray] = {
        name: np.array([row.get(name, np.nan) for row in rows], float) for name in _NUMBERS
    }
    for name in (_FORMAT, *columns):
        facts[name] = np.array([str(row.get(name, '')) for row in rows], str)
    return (
        AuditedImages(
            kept.ids,
            np.array([row['path'] for row in rows], str),
            kept.splits,
            positions.astype(np.int64),
            np.array([row['cluster'] for row in rows], str),
            np.array([row.get('label_confidence', 1.0) for row in rows], np.float32),
            kept.features,
            facts,
            tuple(classes.tolist()),
            folds if (folds >= 0).any() else None,
        ),
        encoded,
    )


def _row(example: tf.train.Example) -> dict[str, str | float]:
    """The facts of one image; those that it lacks are absent."""
    row: dict[str, str | float] = {
        'label': examples.text(example, 'label') or '',
        'path': examples.text(example, 'path') or '',
        # Near-duplicates are in one cluster, which contains whole groups.
        'cluster': examples.text(example, 'cluster') or examples.text(example, 'group') or '',
    }
    fold = examples.text(example, image_table.FOLD)
    row['fold'] = -1 if fold is None else int(fold)
    for name in (*_NUMBERS, 'label_confidence'):
        if number := examples.text(example, name):
            row[name] = float(number)
    for name in example.features.feature:
        if name == _FORMAT or name.startswith(_METADATA):
            row[name] = examples.text(example, name) or ''
    return row
