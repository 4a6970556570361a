"""Numbers about an image, for slices, drift and statistics."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Facts:
    """Facts of one image.

    Attributes:
      brightness: mean luma, 0 (black) to 1 (white).
      contrast: standard deviation of luma (RMS contrast), 0 to 0.5.
      sharpness: variance of the Laplacian of luma in 0..1; near 0 for flat or blurred images.
    """

    brightness: float
    contrast: float
    sharpness: float


def measure(luma: np.ndarray) -> Facts:
    """Measures an image.

    Sharpness is the variance of the 4-neighbour Laplacian over inner pixels (Pech-Pacheco et al.,
    "Diatom autofocusing in brightfield microscopy", ICPR 2000). It depends on the scale, so
    callers pass images of comparable size (`canonical.LUMA_SIDE`).

    Args:
      luma: uint8 [h, w], at least one pixel.
    """
    y = luma.astype(np.float32) / 255.0  # (h, w)
    sharpness = 0.0
    if min(y.shape) >= 3:
        inner = y[1:-1, 1:-1]
        laplacian = y[:-2, 1:-1] + y[2:, 1:-1] + y[1:-1, :-2] + y[1:-1, 2:] - 4 * inner
        sharpness = float(laplacian.var())
    return Facts(float(y.mean()), float(y.std()), sharpness)
