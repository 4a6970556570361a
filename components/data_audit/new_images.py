"""Whether images that the last blessed model's run had not are like those that it had."""

from __future__ import annotations

import numpy as np

from thawline.components.data_audit import two_sample
from thawline.components.data_audit.earlier_run import EarlierFeatures
from thawline.components.data_audit.images import AuditedImages
from thawline.components.data_audit.record import NewImageCheck
from thawline.components.shared import progress
from thawline.components.shared.splits import TEST

LEAST = 20  # independent images of either kind; see benchmarks/drift.md
_MOST = 2_000


def compare(images: AuditedImages, earlier: EarlierFeatures) -> NewImageCheck | None:
    """Compares images of train and val; None where there are too few new ones.

    Args:
        images: of this run.
        earlier: of the model's run; features of the same base.
    """
    known = np.isin(images.ids, earlier.embedded.ids)
    added = np.flatnonzero((images.splits != TEST) & ~known)
    before = np.flatnonzero(earlier.embedded.splits != TEST)
    least = min(len(np.unique(images.clusters[added])), len(np.unique(earlier.clusters[before])))
    if least < LEAST:
        return None
    progress.start('new images')
    rng = np.random.default_rng(0)
    added, before = (
        np.sort(rng.choice(rows, min(len(rows), _MOST), replace=False)) for rows in (added, before)
    )
    test = two_sample.test(
        np.concatenate([earlier.embedded.features[before], images.features[added]]),
        np.arange(len(before) + len(added)) >= len(before),
        np.concatenate([earlier.clusters[before], images.clusters[added]]),
    )
    area = test.auroc
    return NewImageCheck(
        earlier.model, len(added), area.share, area.lower, area.upper, test.p_value
    )
