"""Features of the evaluated images that the Embedder computed, for models with the same base."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import numpy as np

from thawline.components.embedding import embeddings
from thawline.components.saved_model import card


class CachedFeatures:
    """Features of the plain images by their id."""

    def __init__(self, uri: str, splits: Sequence[str]) -> None:
        """Reads the embeddings at `uri` of those splits that are there; 8 kB with 2,000 features.

        Raises:
            DataError: they are damaged.
        """
        there = embeddings.read_spec(uri).counts
        parts = [embeddings.load(uri, split) for split in splits if split in there]
        self._features = np.concatenate([part.values[:, 0] for part in parts])
        ids = np.concatenate([part.ids for part in parts])
        self._place = {identity.decode(): place for place, identity in enumerate(ids)}

    def of(self, ids: Sequence[str]) -> np.ndarray | None:
        """float32 [N, D], or None where an image is unknown."""
        places = [self._place.get(identity) for identity in ids]
        return None if None in places else self._features[np.array(places, np.int64)]


def fits(model: str, uri: str) -> bool:
    """Whether the head of the SavedModel at `model` sees just the features of these embeddings."""
    key = card.read(pathlib.Path(model)).frozen_base
    return key is not None and key == embeddings.read_spec(uri).key
