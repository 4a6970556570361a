"""A small picture of each image, and what is measured on it to find its near-duplicates.

Contract: thumbnails are uint8 [n, SIDE, SIDE], luma, stretched; prepared ones float32.
"""

from __future__ import annotations

import functools

import numpy as np
from PIL import Image
from scipy import ndimage

SIDE = 64
_FREQUENCIES = 9
_TAPER = 1.5


def of_luma(luma: np.ndarray) -> np.ndarray:
    """uint8 [SIDE, SIDE] of a luma uint8 [h, w]."""
    # The triangle of Pillow's bilinear filter grows with the scale: no aliases, and little work.
    return np.asarray(Image.fromarray(luma).resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def has_detail(thumbnails: np.ndarray) -> np.ndarray:
    """Whether there is anything to compare, bool [n]: an even surface resembles any other."""
    return np.asarray(_highpass(thumbnails.astype(np.float32), 1.0, 3.0).std((1, 2)) > _LEAST)


_LEAST = 0.5  # grey levels of 255


def spectra(thumbnails: np.ndarray) -> np.ndarray:
    """Features float32 [n, d] that mirroring and quarter turns leave as they are.

    They are magnitudes of low frequencies of the picture under a tapering window, which a shift
    changes little and a lost border hardly at all, folded over the eight symmetries of a square.
    """
    x = thumbnails.astype(np.float32)
    x -= x.mean((1, 2), keepdims=True)
    x /= x.std((1, 2), keepdims=True) + 1.0
    rows, columns = _fourier()
    magnitude = np.abs(rows @ x @ columns)  # (n, frequencies, 2 * frequencies - 1)
    positive = magnitude[:, :, :_FREQUENCIES]
    negative = np.concatenate(
        [magnitude[:, :, :1], magnitude[:, :, : _FREQUENCIES - 1 : -1]], axis=2
    )
    even, odd = positive + negative, np.abs(positive - negative)
    parts = []
    for half, first in ((even, 0), (odd, 1)):
        turned = half.transpose(0, 2, 1)
        u, v = np.triu_indices(_FREQUENCIES)
        low = (u + v > 0) & (u + v <= _FREQUENCIES) & (u >= first)
        off = low & (u != v)
        parts += [(half + turned)[:, u[low], v[low]], np.abs(half - turned)[:, u[off], v[off]]]
    return np.sqrt(np.concatenate(parts, axis=1)).astype(np.float32)


@functools.cache
def _fourier() -> tuple[np.ndarray, np.ndarray]:
    place = np.arange(SIDE)
    window = np.hanning(SIDE + 2)[1:-1] ** _TAPER
    frequency = np.arange(_FREQUENCIES)
    rows = np.exp(-2j * np.pi * np.outer(frequency, place) / SIDE) * window
    both = np.concatenate([frequency, -frequency[:0:-1]])
    columns = np.exp(-2j * np.pi * np.outer(place, both) / SIDE) * window[:, None]
    return rows.astype(np.complex64), columns.astype(np.complex64)


def detail(x: np.ndarray, fine: float, rough: float, local: float) -> np.ndarray:
    """Structure between two scales, its contrast made even: float32 [n, side, side], of norm 1.

    So a thin bright line counts little more than faint texture, and a change of brightness, of
    contrast or of its course over the image not at all.

    Args:
        x: float32 [n, side, side].
        fine, rough: standard deviations of the two Gaussians, pixels.
        local: of the Gaussian over which contrast is made even.
    """
    structure = _highpass(x, fine, rough)
    contrast = np.sqrt(np.maximum(smooth(structure**2, local), 0.0))
    even = structure / (contrast + 0.3 * contrast.mean((1, 2), keepdims=True) + 0.05)
    return unit(even)


def halved(x: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 pixels."""
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4


def unit(x: np.ndarray) -> np.ndarray:
    """Scaled to norm 1."""
    norm: np.ndarray = np.sqrt(np.einsum('bij,bij->b', x, x) + 1e-9)
    return x / norm[:, None, None]


def smooth(x: np.ndarray, sigma: float) -> np.ndarray:
    """Smoothed by a Gaussian."""
    blur = _gaussian(x.shape[-1], sigma)
    return np.asarray(blur @ x @ blur.T)


def _highpass(x: np.ndarray, fine: float, rough: float) -> np.ndarray:
    return smooth(x, fine) - smooth(x, rough)


@functools.cache
def _gaussian(side: int, sigma: float) -> np.ndarray:
    one = np.eye(side, dtype=np.float32)
    return np.asarray(ndimage.gaussian_filter1d(one, sigma, axis=0, mode='nearest', truncate=3))
