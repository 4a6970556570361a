"""Which images are not independent of each other: one group, copies, and near-duplicates."""

from __future__ import annotations

import numpy as np

from thawline.components.data_audit import outliers
from thawline.components.embedding import similarity
from thawline.components.ingestion.tied_groups import TiedGroups

_NEIGHBOURS = 10


def tie(unit: np.ndarray, groups: np.ndarray, is_new: np.ndarray) -> np.ndarray:
    """The unit of each image: str [N].

    Near-duplicates are told as the data audit does across splits, much closer to each other than to
    their tenth neighbours; and closer than that is for most earlier images, because ten new images
    of a kind that the earlier ones lack are not copies of each other. A burst of more than ten
    shots is tied in parts at best, so give it a group.

    Args:
        unit: float32 [N, D], unit vectors or their principal directions.
        groups: str [N]; an image id, a group or a cluster.
        is_new: bool [N].
    """
    ties = TiedGroups()
    cosines, nearest = similarity.neighbours(unit, _NEIGHBOURS)
    each = np.arange(len(unit))
    pairs = outliers.same_across_splits(cosines, nearest, each, groups)
    limit = outliers.SAME * float(np.median(1 - cosines[~is_new, -1])) if pairs else 0.0
    for a, b, cosine in pairs:
        if 1 - cosine <= limit:
            ties.tie(str(groups[a]), str(groups[b]))
    return np.array([ties.leader(str(group)) for group in groups], str)


def first_rows(units: np.ndarray) -> np.ndarray:
    """The first row of each unit, in the order of the rows."""
    return np.sort(np.unique(units, return_index=True)[1])
