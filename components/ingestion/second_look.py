"""Are two pictures that resemble each other copies of one photograph?

Pairs are registered, since one may be a crop of the other: Gauss-Newton for scale and place of each
axis, with the Jacobian of the fixed picture (inverse compositional; Baker & Matthews, "Lucas-Kanade
20 years on", IJCV 2004), at half size and then in full. Then what they share with others is taken
away. In a set of look-alikes (cells of solar modules, slides, parts before one background), any two
agree almost perfectly; copies also agree in what is left of each once others have explained what
they can (a ridge regression on other pictures of the set).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import numpy as np

from thawline.components.ingestion import thumbnail
from thawline.components.ingestion.thumbnail import SIDE

_MARGIN = 10  # pixels of SIDE: what the other may not show, and where filters see beyond the border
_RIDGE = 0.03
_MOST = 0.09  # of the side: shift, and change of size
_COARSE_STEPS, _FINE_STEPS = 6, 4
_ALIKE = 0.9  # least correlation of registered copies
_SAME = 0.9995  # that of one picture, saved twice
_AS_GOOD = 0.2  # by how much the correlation of another orientation may be lower
_BATCH = 64  # pairs
UNLIKE = -2.0  # less than any agreement


def _turn(x: np.ndarray, orientation: int) -> np.ndarray:
    """Pictures [n, side, side] mirrored, upside down, or turned by quarters (3 to 7)."""
    if orientation == 0:
        return x
    if orientation < 3:
        return x[:, :, ::-1] if orientation == 1 else x[:, ::-1]
    if orientation == 3:
        return x[:, ::-1, ::-1]
    across = x.transpose(0, 2, 1)
    return _turn(across, orientation - 4)


@dataclasses.dataclass(frozen=True)
class Pictures:
    """Prepared thumbnails: what two of them are compared by.

    Attributes:
        small: float32 [n, SIDE / 4, SIDE / 4], for the orientation.
        half: [n, SIDE / 2, SIDE / 2].
        full: [n, SIDE, SIDE].
    """

    small: np.ndarray
    half: np.ndarray
    full: np.ndarray

    @classmethod
    def of(cls, thumbnails: np.ndarray) -> Pictures:
        """Prepares thumbnails uint8 [n, SIDE, SIDE]."""
        parts = [cls._prepare(thumbnails[i : i + 64]) for i in range(0, len(thumbnails), 64)]
        return cls(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    @staticmethod
    def _prepare(thumbnails: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        x = thumbnails.astype(np.float32)
        full = thumbnail.detail(x, 1.0, 3.0, 4.0)
        half = thumbnail.detail(thumbnail.halved(x), 0.5, 2.0, 2.0)
        return thumbnail.unit(thumbnail.halved(thumbnail.halved(full))), half, full


class _Background:
    """Other pictures, by which is explained what a picture shares with its set."""

    def __init__(self, pictures: Pictures, others: Mapping[int, Sequence[int]]) -> None:
        self._pictures, self._others = pictures, others
        self._last: tuple[list[int], np.ndarray, np.ndarray] = ([], np.zeros(0), np.zeros(0))

    def without(self, first: int, second: int, x: np.ndarray) -> np.ndarray:
        """What others than these two do not explain of x float32 [2, pixels]."""
        rows = [row for row in self._others.get(first, ()) if row not in (first, second)]
        if not rows:
            return x
        if rows != self._last[0]:
            others = _core(self._pictures.full[rows])
            gram = others @ others.T + _RIDGE * np.eye(len(rows), dtype=np.float32)
            self._last = rows, others, np.linalg.inv(gram)
        _, others, inverse = self._last
        return np.asarray(x - x @ others.T @ inverse @ others)


def compare(
    pictures: Pictures,
    pairs: np.ndarray,
    others: Mapping[int, Sequence[int]],
    turned: bool,
) -> np.ndarray:
    """How much pairs agree in what other pictures do not explain: float32 [pairs], -1 to 1.

    `UNLIKE` for those that do not resemble each other in the first place, whatever the others.

    Args:
        pictures: n of them.
        pairs: int [pairs, 2], rows of `pictures`.
        others: for the first of each pair, rows that explain what it shares with its set: some
            of the whole set, and some that are more like it, but less than its copies. Without
            any, the result tells only which pairs are `UNLIKE`.
        turned: whether one may be turned by quarters, and not only mirrored.
    """
    result = np.full(len(pairs), UNLIKE, np.float32)
    background = _Background(pictures, others)
    for start in range(0, len(pairs), _BATCH):
        part = slice(start, start + _BATCH)
        result[part] = _compare(
            pictures, pairs[part, 0], pairs[part, 1], background, 8 if turned else 3
        )
    return result


def _compare(
    pictures: Pictures, first: np.ndarray, second: np.ndarray, background: _Background, count: int
) -> np.ndarray:
    turned = [_turn(pictures.small[second], number) for number in range(count)]
    likeness = np.stack([_products(pictures.small[first], other) for other in turned], axis=1)
    # In a symmetric picture several fit: all that may are tried.
    pair, orientation = np.nonzero(likeness >= likeness.max(1, keepdims=True) - _AS_GOOD)
    a, b = first[pair], second[pair]
    moving = _oriented(pictures.half, b, orientation)
    place = _register(pictures.half[a], moving, np.zeros((len(a), 4), np.float32), _COARSE_STEPS)
    keep = _correlation(_core(pictures.half[a]), _warped(moving, place)) >= _ALIKE
    pair, a, b, orientation, place = (values[keep] for values in (pair, a, b, orientation, place))
    result = np.full(len(first), UNLIKE, np.float32)
    if not len(pair):
        return result
    moving = _oriented(pictures.full, b, orientation)
    place = _register(pictures.full[a], moving, place, _FINE_STEPS)
    seen, fixed = _warped(moving, place), _core(pictures.full[a])
    agreement = _correlation(fixed, seen)
    for row in np.flatnonzero(agreement >= _ALIKE):
        if agreement[row] >= _SAME:
            result[pair[row]] = agreement[row]
            continue
        left = background.without(int(a[row]), int(b[row]), np.stack([fixed[row], seen[row]]))
        score = _correlation(left[:1], left[1:])[0]
        result[pair[row]] = max(result[pair[row]], score)
    return result


def _products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum('bij,bij->b', a, b)


def _oriented(x: np.ndarray, rows: np.ndarray, orientation: np.ndarray) -> np.ndarray:
    result = x[rows]
    for number in np.unique(orientation):
        chosen = orientation == number
        result[chosen] = _turn(result[chosen], int(number))
    return result


def _register(fixed: np.ndarray, moving: np.ndarray, place: np.ndarray, steps: int) -> np.ndarray:
    """Where the moving lie on the fixed: float32 [n, 4], (scale - 1, shift) by y and x."""
    n, side = fixed.shape[:2]
    at = _centres(side)
    dy, dx = np.gradient(fixed, axis=1) * side, np.gradient(fixed, axis=2) * side
    jacobian = np.stack([dy * at[:, None], dy, dx * at, dx], 1).reshape(4 * n, side, side)
    jacobian = _core(jacobian).reshape(n, 4, -1)
    hessian = jacobian @ jacobian.transpose(0, 2, 1)
    damping = 1e-3 * np.trace(hessian, axis1=1, axis2=2) / 4 + 1e-6
    hessian += damping[:, None, None] * np.eye(4, dtype=np.float32)
    solve = np.linalg.inv(hessian) @ jacobian  # (n, 4, pixels)
    target = _core(fixed)
    for _ in range(steps):
        error = target - _warped(moving, place)
        place = np.clip(place + (solve @ error[:, :, None])[..., 0], -_MOST, _MOST)
    return place


def _warped(x: np.ndarray, place: np.ndarray) -> np.ndarray:
    """The cores of pictures moved to their places, flat."""
    side = x.shape[1]
    rows = _interpolation(side, place[:, 0], place[:, 1])
    columns = _interpolation(side, place[:, 2], place[:, 3])
    return np.asarray(rows @ x @ columns.transpose(0, 2, 1)).reshape(len(x), -1)


def _interpolation(side: int, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Weights of linear interpolation along an axis, float32 [n, core, side]."""
    margin = _MARGIN * side // SIDE
    core = _centres(side)[margin:-margin]
    at = ((1 + scale)[:, None] * core + shift[:, None]) * side - 0.5
    at = np.clip(at, 0, side - 1)
    weights = at[:, :, None] - np.arange(side, dtype=np.float32)
    np.abs(weights, out=weights)
    np.subtract(1, weights, out=weights)
    return np.maximum(weights, 0, out=weights)


def _core(x: np.ndarray) -> np.ndarray:
    margin = _MARGIN * x.shape[1] // SIDE
    middle = x[:, margin:-margin, margin:-margin]
    return middle.reshape(len(x), -1)


@functools.cache
def _centres(side: int) -> np.ndarray:
    return (np.arange(side, dtype=np.float32) + 0.5) / side


def _correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson's, of rows."""
    a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    product = np.einsum('bi,bi->b', a, b)
    return product / np.sqrt(np.einsum('bi,bi->b', a, a) * np.einsum('bi,bi->b', b, b) + 1e-12)
