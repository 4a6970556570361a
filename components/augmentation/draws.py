"""The random numbers of one image's change: DRAWS values in [0, 1), one a kind of change."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

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


def view_draws(seed: int, ids: Iterable[bytes], view: int) -> np.ndarray:
    """The draws of one view of each image, whatever batch, worker or order it comes in.

    The bytes of an extendable hash (SHAKE-256) rather than a generator's: the same on every machine
    and in every version of NumPy, so that cached embeddings stay reproducible.

    Args:
        seed: another seed, other draws.
        ids: of N images.
        view: number of the view; 0 is for the image as it is.

    Returns:
        float32 [N, DRAWS], uniform in [0, 1).
    """
    prefix = f'{seed}/{view}/'.encode()
    digests = [hashlib.shake_256(prefix + image_id).digest(4 * DRAWS) for image_id in ids]
    words = np.frombuffer(b''.join(digests), '<u4').reshape(-1, DRAWS)
    return (words >> 8).astype(np.float32) * np.float32(2.0**-24)  # 24 bits: never rounds up to 1
