"""Images unlike those of any class, and pairs across splits that show the same thing."""

from __future__ import annotations

import numpy as np

# How unlike a class an image is: its cosine distance to the nearest quarter of the class. With a
# few nearest images instead, a handful of foreign images that resemble each other pass as normal:
# AUROC 0.03 to 0.3 for solar cells among photographs, where the quarter has 0.99.
_QUANTILE = 0.25
_FAR_OUT = 3.0  # in interquartile ranges above the upper quartile (Tukey 1977)
_CHUNK = 1_000
# A pair shows the same thing where it is so much closer than the tenth neighbours of both. Of 60
# photographs each of flowers5, trashnet and hymenoptera, made smaller, recompressed, cropped by
# 5 %, brighter or mirrored, nearly all are below; two different ones rarely are.
SAME = 0.15
_TENTH = 10


def distances(unit: np.ndarray, labels: np.ndarray, others: np.ndarray | None = None) -> np.ndarray:
    """How far each image is from the class that it is nearest to: float32 [N] in [0, 2].

    Args:
        unit: float32 [N, D], unit vectors or their principal directions.
        labels: int64 [N]; a wrong one changes little, as each class counts.
        others: float32 [M, D], images without a label to measure instead: float32 [M].
    """
    measured = unit if others is None else others
    nearest = np.full(len(measured), np.inf, np.float32)
    for label in np.unique(labels):
        members = unit[labels == label]
        place = min(int(_QUANTILE * len(members)), len(members) - 1)
        for start in range(0, len(measured), _CHUNK):
            part = 1 - measured[start : start + _CHUNK] @ members.T
            far = np.partition(part, place, axis=1)[:, place]
            nearest[start : start + _CHUNK] = np.minimum(nearest[start : start + _CHUNK], far)
    return nearest


def far_out(distance: np.ndarray, others: np.ndarray | None = None) -> np.ndarray:
    """Which distances are outliers among all, bool [N]; or which of others, bool [M], would be."""
    if not len(distance):
        return np.zeros(0, bool)
    low, high = np.quantile(distance, [0.25, 0.75])
    measured = distance if others is None else others
    return np.asarray(measured > high + _FAR_OUT * (high - low))


def same_across_splits(
    cosines: np.ndarray, nearest: np.ndarray, splits: np.ndarray, clusters: np.ndarray
) -> list[tuple[int, int, float]]:
    """Pairs of images in different splits or folds that look the same, the most similar first.

    Near-duplicates that ingestion recognised are in one cluster, and so in one split or fold.

    Args:
        cosines, nearest: the ten nearest others of each image, as `similarity.neighbours` has them.
        splits, clusters: [N]; for images in folds their fold takes the place of the split.

    Returns:
        (row, row, cosine) each; none where there are too few images to know what is close.
    """
    if nearest.shape[1] < _TENTH:
        return []
    away = np.maximum(1 - cosines, 0)
    limit = SAME * away[:, _TENTH - 1]
    pairs: dict[tuple[int, int], float] = {}
    for a, others in enumerate(nearest.tolist()):
        for place, b in enumerate(others):
            if away[a, place] > min(limit[a], limit[b]):
                break
            if splits[a] != splits[b] and clusters[a] != clusters[b]:
                pairs[min(a, b), max(a, b)] = float(cosines[a, place])
    return sorted(((a, b, c) for (a, b), c in pairs.items()), key=lambda p: (-p[2], p[0], p[1]))
