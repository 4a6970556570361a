"""Pixels as Transform wrote them, of some images of a split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from thawline.components.transform import examples


def sample(files: Sequence[str], size: int, most: int) -> np.ndarray:
    """Images of `most` ids that are lowest, so that neither shards nor their order matter.

    Ids are hashes of the images, so the lowest ones are drawn without regard to class or place.

    Returns:
        uint8 [n, S, S, 3], n at most `most`.
    """
    kept: list[tuple[bytes, np.ndarray]] = []
    for batch in examples.read(files, size):
        kept = sorted([*kept, *zip(batch.ids, batch.values, strict=True)], key=lambda one: one[0])
        kept = kept[:most]
    if not kept:
        return np.empty((0, size, size, 3), np.uint8)
    return np.stack([pixels for _, pixels in kept])
