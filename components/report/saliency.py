"""Heat maps (Grad-CAM) from an exported model."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import numpy as np

from thawline.components.saved_model.runner import SavedModelRunner

_BATCH = 32


class Explainer:
    """The model's own preprocessing and its signature `explain`."""

    def __init__(self, model: pathlib.Path) -> None:
        """Loads the SavedModel in the folder `model`."""
        self._run = SavedModelRunner(model)

    def __call__(self, encoded: Sequence[bytes], classes: Sequence[int]) -> np.ndarray:
        """Heat map of each image for a class: -> float32 [N, h, w] in [0, 1], N at least 1."""
        batches = [slice(start, start + _BATCH) for start in range(0, len(encoded), _BATCH)]
        return np.concatenate([self._run.explain(encoded[b], classes[b]) for b in batches])
