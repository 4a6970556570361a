"""The side at which images are trained, epoch by epoch.

A step's time goes with the area of its images, so small ones first save time: progressive resizing
(Howard, fast.ai's entry to DAWNBench, 2018; Tan & Le, "EfficientNetV2", ICML 2021). Ending below
the side that is served undoes what random crops do: they enlarge objects in training, and the
network then answers about smaller ones (Touvron et al., "Fixing the train-test resolution
discrepancy", NeurIPS 2019).
"""

from __future__ import annotations

import numpy as np

from thawline.components.training import params

# All bases halve the side five times: at its multiples every map of theirs has a whole size, and
# their padding is that of the side they were built for.
STEP = 32


def varies(tune: params.FineTune) -> bool:
    """Whether any epoch trains below full size."""
    return (tune.start_resolution, tune.end_resolution) != (1.0, 1.0)


def sides(tune: params.FineTune, full: int, epochs: int) -> np.ndarray:
    """The side in pixels of each of `epochs` epochs, int64 [epochs], linear from first to last.

    Args:
        tune: the shares of `full`; a single epoch has the last one.
        full: side of the images.
        epochs: at least 1.

    Returns:
        Multiples of `STEP`, at least `STEP` and at most `full`; a share of 1 is `full` itself.
    """
    shares = np.linspace(tune.end_resolution, tune.start_resolution, epochs)[::-1]
    stepped = np.maximum(STEP, STEP * np.rint(shares * full / STEP))
    return np.where(shares == 1.0, full, np.minimum(stepped, full)).astype(np.int64)
