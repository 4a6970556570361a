"""Images of a split, or features of theirs, in memory: a row an image, and what is known of it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class LabelledSet:
    """Some images of one split.

    Attributes:
        values: pixels, uint8 [N, H, W, 3]; or features, float32 [N, V, D], whose row 0 is of the
            plain image and the others of augmented views.
        labels: int64 [N], positions in the class list; -1 for a class that training never saw.
        ids: the image ids, bytes as object [N].
        confidence: float32 [N] in (0, 1]; probability that the label is right. All 1 by default.
    """

    values: np.ndarray
    labels: np.ndarray
    ids: np.ndarray
    confidence: np.ndarray = dataclasses.field(default_factory=lambda: np.ones((), np.float32))

    def __post_init__(self) -> None:
        # One number for all images becomes one for each.
        each = np.broadcast_to(self.confidence, self.labels.shape)
        object.__setattr__(self, 'confidence', each)

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray | slice) -> LabelledSet:
        """The given rows as a set of its own."""
        return LabelledSet(
            self.values[rows], self.labels[rows], self.ids[rows], self.confidence[rows]
        )

    def digest(self) -> str:
        """A digest of all that is known of the images."""
        digest = hashlib.sha256(b'\0'.join(self.ids.tolist()))
        for column in (self.labels, self.confidence, self.values):
            digest.update(np.ascontiguousarray(column).data)
        return digest.hexdigest()


def join(first: LabelledSet, second: LabelledSet) -> LabelledSet:
    """Both sets as one, in the order of the ids.

    Where one has more views an image than the other, the plain image of the other stands in for
    them, so that every image counts the same.
    """
    values = [first.values, second.values]
    if first.values.ndim == 3:  # features
        views = max(each.shape[1] for each in values)
        values = [
            each if each.shape[1] == views else np.repeat(each[:, :1], views, axis=1)
            for each in values
        ]
    ids = np.concatenate([first.ids, second.ids])
    order = np.argsort(ids, kind='stable')
    return LabelledSet(
        np.concatenate(values)[order],
        np.concatenate([first.labels, second.labels])[order],
        ids[order],
        np.concatenate([first.confidence, second.confidence])[order],
    )


def sort_by_id(
    keys: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
    empty: Callable[[int], np.ndarray],
    values: Iterable[np.ndarray],
) -> LabelledSet:
    """A set in the order of its ids, which does not depend on how files were written.

    Args:
        keys: labels, ids and confidence, batch by batch.
        empty: makes an array for the values of so many images.
        values: of the same images in the same order, in any batches. They are read last, each to
            its place, so that no second copy of all of them is ever needed.
    """
    labels = np.concatenate([np.empty(0, np.int64), *(batch[0] for batch in keys)])
    ids = np.concatenate([np.empty(0, object), *(batch[1] for batch in keys)])
    confidence = np.concatenate([np.empty(0, np.float32), *(batch[2] for batch in keys)])
    order = np.argsort(ids, kind='stable')
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    sorted_values = empty(len(ids))
    done = 0
    for batch in values:
        sorted_values[place[done : done + len(batch)]] = batch
        done += len(batch)
    return LabelledSet(sorted_values, labels[order], ids[order], confidence[order])
