"""The embeddings of the plain images of all splits as arrays."""

from __future__ import annotations

import dataclasses

import numpy as np

from thawline.components.embedding import embeddings


@dataclasses.dataclass(frozen=True)
class ImageEmbeddings:
    """Features of the labelled images of all splits, from the frozen base.

    Attributes:
        ids: str [N].
        splits: str [N].
        labels: int64 [N], positions in the class list; -1 for a class that training never saw.
        features: float32 [N, D], of the plain images.
    """

    ids: np.ndarray
    splits: np.ndarray
    labels: np.ndarray
    features: np.ndarray

    def take(self, rows: np.ndarray) -> ImageEmbeddings:
        """Some of the rows."""
        return ImageEmbeddings(*(getattr(self, f.name)[rows] for f in dataclasses.fields(self)))


def read(uri: str) -> ImageEmbeddings:
    """Features of the images of all splits, without augmentation; only those that are finite.

    Raises:
        DataError: a file is damaged or missing.
    """
    columns = []
    for split in embeddings.read_spec(uri).counts:
        embedded = embeddings.load(uri, split)
        # Images on which the base overflows are similar to none.
        kept = embedded.take(np.isfinite(embedded.values[:, 0]).all(axis=1))
        names = np.array([name.decode() for name in kept.ids], str)
        columns.append((names, np.full(len(names), split), kept.labels, kept.values[:, 0]))
    return ImageEmbeddings(*(np.concatenate(column) for column in zip(*columns, strict=True)))
