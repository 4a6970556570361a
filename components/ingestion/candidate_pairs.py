"""Which images of a bucket are compared: those nearest to each other by their features."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import pickle
from collections.abc import Sequence

import numpy as np
import threadpoolctl

_AROUND = 64  # pictures like an image, beyond its candidates
_CANDIDATES = 16
_FAR = 0.6  # between features whose variance is 1


@dataclasses.dataclass(frozen=True)
class Member:
    """An image in a bucket; `buckets` are all of its, that of the nearest pivot first."""

    image: str
    coordinates: bytes  # float16
    buckets: tuple[int, ...]
    family: str
    shard: int
    place: int

    def to_bytes(self) -> bytes:
        """For Beam, which would pickle the object once for each of its buckets."""
        return pickle.dumps(tuple(vars(self).values()))

    @classmethod
    def from_bytes(cls, packed: bytes) -> Member:
        """The inverse of `to_bytes`."""
        return cls(*pickle.loads(packed))


@dataclasses.dataclass
class Candidates:
    """By row of a window: the pairs to look at, who is close to a row, and who is beyond these."""

    pairs: list[tuple[int, int]]
    close: dict[int, list[int]]
    around: dict[int, list[int]]


def of_bucket(bucket: int, members: Sequence[Member]) -> Candidates:
    """Pairs of an image with those nearest to it, in the bucket of its nearest pivot."""
    places = coordinates(members)
    # The others look for theirs in the buckets of their own nearest pivots.
    looking = [row for row, member in enumerate(members) if member.buckets[0] == bucket]
    with one_thread():
        apart = distances(places[looking], places)
    near = Candidates([], {}, {})
    chosen = set()
    for row, distance in zip(looking, apart, strict=True):
        near_enough = np.flatnonzero(distance < _FAR)
        order = near_enough[np.argsort(distance[near_enough], kind='stable')]
        order = order[order != row]
        near.close[row] = order[:_CANDIDATES].tolist()
        for other in near.close[row]:
            if (other, row) not in chosen:
                chosen.add((row, other))
                near.pairs.append((row, other))
                near.around[row] = order[_CANDIDATES : _CANDIDATES + _AROUND].tolist()
    return near


def of_family(members: Sequence[Member]) -> Candidates:
    """Pairs of images whose names say that they come from one image."""
    rows = range(len(members))
    near = Candidates([], {}, {})
    for row in rows:
        near.close[row] = [other for other in rows[:_CANDIDATES] if other != row]
        unpaired = row + 1 if row < _CANDIDATES else 0  # The first ones had these already.
        near.pairs += [(row, other) for other in near.close[row] if other >= unpaired]
        near.around[row] = []
    return near


def coordinates(members: Sequence[Member]) -> np.ndarray:
    """Of members: float32 [n, d]."""
    joined = b''.join(member.coordinates for member in members)
    return np.frombuffer(joined, np.float16).astype(np.float32).reshape(len(members), -1)


def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Euclidean, of all pairs of rows: float32 [n, d], [m, d] -> [n, m]."""
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    return np.sqrt(np.maximum(squares, 0.0))


@functools.cache
def _libraries() -> threadpoolctl.ThreadpoolController:
    return threadpoolctl.ThreadpoolController()  # takes milliseconds to find them


def one_thread() -> contextlib.AbstractContextManager[None]:
    """Holds BLAS to one: on a busy machine two wait for each other, 1.4 s in a small SVD."""
    return _libraries().limit(limits=1, user_api='blas')
