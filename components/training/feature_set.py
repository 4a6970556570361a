"""Features of the frozen base as the recipe sees them, in the order in which it sees the images."""

from __future__ import annotations

import dataclasses

import numpy as np

from thawline.components.embedding import embeddings
from thawline.components.embedding.feature_extractor import FeatureExtractor, ImageBatch
from thawline.components.shared import progress
from thawline.components.training.image_set import ImageSet

_BATCH = 64


@dataclasses.dataclass(frozen=True)
class FeatureSet:
    """One split, ordered by image id as `dataset.ImageSet` is.

    Attributes:
        features: float32 [N, V, D]; row 0 is of the plain image, the others of augmented views.
        labels: int64 [N], positions in the class list; -1 for a class that training never saw.
        ids: the image ids, [N].
        confidence: float32 [N] in (0, 1]; probability that the label is right. All 1 by default.
    """

    features: np.ndarray
    labels: np.ndarray
    ids: np.ndarray
    confidence: np.ndarray = dataclasses.field(default_factory=lambda: np.ones((), np.float32))

    def __post_init__(self) -> None:
        # One number for all images becomes one for each.
        each = np.broadcast_to(self.confidence, self.labels.shape)
        object.__setattr__(self, 'confidence', each)

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> FeatureSet:
        """The given rows as a set of its own."""
        return FeatureSet(
            self.features[rows], self.labels[rows], self.ids[rows], self.confidence[rows]
        )


def read(uri: str, split: str) -> FeatureSet:
    """What the Embedder wrote.

    Raises:
        DataError: a file is damaged or missing.
    """
    return FeatureSet(*embeddings.load(uri, split))


def of_images(base: FeatureExtractor, split: str, images: ImageSet) -> FeatureSet:
    """Embeds images in this process, for those who have them in memory already.

    Args:
        base: embeds the plain images, and their views where `split` is 'train'.
        split: name of the split.
        images: at least one.
    """
    progress.start('images through the frozen base', len(images) * base.rows(split))
    parts = []
    for start in range(0, len(images), _BATCH):
        some = images.take(np.arange(start, min(start + _BATCH, len(images))))
        parts.append(
            base.embed(ImageBatch(split, some.ids, some.labels, some.confidence, some.pixels))
        )
    return FeatureSet(
        np.concatenate([p.features for p in parts]), images.labels, images.ids, images.confidence
    )
