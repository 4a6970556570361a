"""From samples of more than 8 bits to 8: one range for all images of a set.

A 16-bit file does not say how many of its bits a camera uses, and an image that is scaled by its
own maximum loses its exposure. So the range is found over the set, once, at ingestion, and goes
with the model.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Sequence

import numpy as np

from thawline.components.shared.records import Record

DEPTHS = (8, 10, 12, 14, 16)
FULL = DEPTHS[-1]
# Share of an image's samples that may lie outside of its range: hot pixels.
_STRAY_SAMPLES = 0.001
# Of this many images one may lie outside of the range of the set; of a few none may.
_IMAGES_TO_A_STRAY = 100
_FEWEST_WITH_A_STRAY = 10


@dataclasses.dataclass(frozen=True)
class SampleDepth(Record):
    """The ranges of a set's samples; images of 8 bits need none.

    Attributes:
        bits: that samples of 16 bits use.
        low, high: of floating-point and 32-bit samples, what becomes black and white.
    """

    FILE = 'sample_depth.json'

    bits: int = FULL
    low: float = 0.0
    high: float = 1.0

    def __str__(self) -> str:
        deep = '' if (self.low, self.high) == (0.0, 1.0) else f' ({self.low:g} to {self.high:g})'
        return f'{self.bits} bits{deep}'

    def table(self) -> np.ndarray:
        """The 8-bit value of each 16-bit sample: uint8 [65536]."""
        scaled = np.arange(2**FULL) * (255 / (2**self.bits - 1))
        return np.minimum(np.rint(scaled), 255).astype(np.uint8)

    def to_uint8(self, samples: np.ndarray) -> np.ndarray:
        """Scales samples of any type; what is not finite counts as the lowest."""
        if samples.dtype == np.uint16:
            return self.table()[samples]
        values = np.where(np.isfinite(samples), samples, self.low).astype(np.float64)
        width = self.high - self.low or 1.0
        return np.clip(np.rint((values - self.low) * (255 / width)), 0, 255).astype(np.uint8)


FULL_DEPTH = SampleDepth()


@dataclasses.dataclass(frozen=True)
class SampleUse:
    """The range that one image uses, apart from a few hot pixels.

    Attributes:
        bits: of 16-bit samples; 0 for others.
        low, high: of floating-point and 32-bit samples.
    """

    bits: int = 0
    low: float = 0.0
    high: float = 0.0

    @classmethod
    def of(cls, samples: np.ndarray) -> SampleUse:
        """Measures the samples of an image."""
        if samples.dtype == np.uint16:
            fits = (d for d in DEPTHS if np.mean(samples >= 2**d) <= _STRAY_SAMPLES)
            return cls(bits=next(fits))
        finite = samples[np.isfinite(samples)]
        if not finite.size:
            return cls()
        low, high = np.quantile(finite, [_STRAY_SAMPLES / 2, 1 - _STRAY_SAMPLES / 2])
        return cls(low=float(low), high=float(high))


@dataclasses.dataclass(frozen=True)
class DepthChoice:
    """The ranges of a set and what a person should know of them."""

    depth: SampleDepth
    notes: tuple[str, ...] = ()


def choose(uses: Iterable[tuple[str, SampleUse]], bits: int | None = None) -> DepthChoice:
    """The ranges of a set: those that hold all but a stray image of it.

    Args:
        uses: path and range of each image that has more than 8 bits.
        bits: where they are configured.
    """
    ordered = sorted(uses, key=lambda use: use[0])
    deep = [(path, use.bits) for path, use in ordered if use.bits]
    real = [use for _, use in ordered if not use.bits]
    depth, notes = SampleDepth(bits or FULL), []
    if deep:
        found = bits or sorted(used for _, used in deep)[-1 - _strays(len(deep))]
        depth = SampleDepth(found)
        notes.append(_in_words(found, bits is not None, len(deep)))
        if above := [path for path, used in deep if used > found]:
            notes.append(
                f'cut off at white, as they are brighter: {len(above)} of them, such as {above[0]}'
            )
    if real:
        low, high = _range(real)
        depth = dataclasses.replace(depth, low=low, high=high)
        notes.append(f'32-bit samples: {low:g} is black, {high:g} white ({len(real)} images)')
    return DepthChoice(depth, tuple(notes))


def read(folder: str) -> SampleDepth:
    """The ranges that an artifact keeps; the full ones where it has none."""
    from tfx.dsl.io import fileio

    path = os.path.join(folder, SampleDepth.FILE)
    if not fileio.exists(path):
        return SampleDepth()
    with fileio.open(path) as file:
        return SampleDepth.from_json(file.read(), path)


def write(depth: SampleDepth, folder: str) -> None:
    """Keeps the ranges beside the files of an artifact."""
    from tfx.dsl.io import fileio

    with fileio.open(os.path.join(folder, SampleDepth.FILE), 'w') as file:
        file.write(depth.to_json() + '\n')


def _strays(images: int) -> int:
    return max(images // _IMAGES_TO_A_STRAY, 1 if images >= _FEWEST_WITH_A_STRAY else 0)


def _range(uses: Sequence[SampleUse]) -> tuple[float, float]:
    """0 to 1 where all are there, 0 to the end of a depth where they look like raw integers."""
    strays = _strays(len(uses))
    low = sorted(use.low for use in uses)[strays]
    high = sorted(use.high for use in uses)[-1 - strays]
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    if low >= 0 and high < 2**FULL:
        return 0.0, next(2.0**d - 1 for d in DEPTHS if high < 2**d)
    return low, high


def _in_words(bits: int, configured: bool, images: int) -> str:
    why = 'as data.depth says' if configured else f'to stay so, set data.depth: {bits}'
    return f'16-bit samples: {bits} bits are used ({images} images; {why})'
