"""The random numbers of one image's change: DRAWS values in [0, 1), one a kind of change."""

from __future__ import annotations

import hashlib

import numpy as np

# Columns of a row of draws, in the order in which `augment` uses them.
(
    ANGLE,
    TURN,
    ZOOM,
    ASPECT,
    FLIP_X,
    FLIP_Y,
    RIGHT,
    BELOW,
    SATURATION,
    CONTRAST,
    BRIGHTNESS,
    CHOICE,
) = range(12)
DRAWS = 12


def view_draws(seed: int, image_id: bytes, view: int) -> np.ndarray:
    """The draws of one view of one image, whatever batch, worker or order it comes in.

    The bytes of an extendable hash (SHAKE-256) rather than a generator's: the same on every machine
    and in every version of NumPy, so that cached embeddings stay reproducible.

    Args:
        seed: another seed, other draws.
        image_id: the image's id.
        view: number of the view.

    Returns:
        float32 [DRAWS], uniform in [0, 1).
    """
    key = f'{seed}/{view}/'.encode() + image_id
    words = np.frombuffer(hashlib.shake_256(key).digest(4 * DRAWS), '<u4')
    return (words >> 8).astype(np.float32) * np.float32(2.0**-24)  # 24 bits: never rounds up to 1
