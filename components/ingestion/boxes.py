"""A box around an object, as a tool drew it on a picture, and its place in the pixels.

Tools show pictures upright, as the EXIF orientation says, so boxes are on the upright picture. A
format that keeps the size of the picture (COCO) shows where one did not: then the shape is that of
the pixels as they are stored, and the box is turned with them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

from thawline.components.ingestion import quarantine as reasons
from thawline.components.ingestion.bad_image import BadImage

# Shapes that differ by less are the same, of a picture that was resized.
_TOLERANCE = 0.01
_Point = Callable[[float, float], tuple[float, float]]
# EXIF orientation -> where a point of the stored picture is on the upright one, as shares of both.
_UPRIGHT: dict[int, _Point] = {
    1: lambda x, y: (x, y), 2: lambda x, y: (1 - x, y),
    3: lambda x, y: (1 - x, 1 - y), 4: lambda x, y: (x, 1 - y),
    5: lambda x, y: (y, x), 6: lambda x, y: (1 - y, x),
    7: lambda x, y: (1 - y, 1 - x), 8: lambda x, y: (y, 1 - x),
}  # fmt: skip


class PixelBox(NamedTuple):
    """A rectangle of whole pixels; right and bottom are outside of it."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def least_side(self) -> int:
        return min(self.right - self.left, self.bottom - self.top)

    def padded(self, share: float, size: tuple[int, int]) -> PixelBox:
        """Wider by a share of its width on the left and on the right, and so its height.

        It ends at the border of the picture of `size` (width, height), pixels.
        """
        dx, dy = share * (self.right - self.left), share * (self.bottom - self.top)
        return PixelBox(
            max(0, math.floor(self.left - dx)),
            max(0, math.floor(self.top - dy)),
            min(size[0], math.ceil(self.right + dx)),
            min(size[1], math.ceil(self.bottom + dy)),
        )


def rotated(points: Sequence[float], pivot: tuple[float, float], degrees: float) -> list[float]:
    """Points x, y, x, y, ... turned clockwise around another, y pointing down."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turned = []
    for x, y in zip(points[::2], points[1::2], strict=True):
        dx, dy = x - pivot[0], y - pivot[1]
        turned += [pivot[0] + cos * dx - sin * dy, pivot[1] + sin * dx + cos * dy]
    return turned


@dataclasses.dataclass(frozen=True)
class Box:
    """A box as it is written.

    Attributes:
        left, top, right, bottom: from the upper left corner; right of left, and bottom below top.
        size: width and height of the picture in the same unit: (1, 1) where these are shares of
            the picture; None: pixels of a picture whose size is not written.
    """

    left: float
    top: float
    right: float
    bottom: float
    size: tuple[float, float] | None = None

    @classmethod
    def around(cls, points: Sequence[float], size: tuple[float, float] | None) -> Self:
        """The smallest one around the points x, y, x, y, ... of a polygon."""
        xs, ys = points[::2], points[1::2]
        return cls(min(xs), min(ys), max(xs), max(ys), size)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        """Reads what `dataclasses.asdict` and JSON made of one."""
        size = fields['size']
        return cls(**{**fields, 'size': size and tuple(size)})

    @property
    def flaw(self) -> tuple[str, str] | None:
        """Why nothing can be cut out, as far as can be said without the picture."""
        if self.right <= self.left or self.bottom <= self.top:
            width, height = self.right - self.left, self.bottom - self.top
            return reasons.EMPTY_BOX, f'it is {width:g} wide and {height:g} high'
        if self.size and (self.left >= self.size[0] or self.top >= self.size[1]):
            return self._outside(self.size)
        if self.right <= 0 or self.bottom <= 0:
            return self._outside(self.size)
        return None

    def _outside(self, size: tuple[float, float] | None) -> tuple[str, str]:
        of = f' of {size[0]:g} x {size[1]:g}' if size else ''
        corners = f'{self.left:g}, {self.top:g} to {self.right:g}, {self.bottom:g}'
        return reasons.BOX_OUTSIDE, f'from {corners}, in a picture{of}'

    def in_pixels(self, size: tuple[int, int], orientation: int) -> PixelBox:
        """The part of it that is on the upright picture.

        Args:
            size: width and height of the upright picture, pixels.
            orientation: EXIF orientation by which it was turned.

        Raises:
            BadImage: it is outside, or was drawn on a picture of another shape.
        """
        width, height = self.size or size
        corners = (self.left / width, self.top / height), (self.right / width, self.bottom / height)
        if self.size not in (None, (1, 1)) and not _alike((width, height), size):
            stored = size[::-1] if orientation in (5, 6, 7, 8) else size
            if not _alike((width, height), stored):
                raise BadImage(
                    reasons.OTHER_SHAPE,
                    f'annotated at {width:g} x {height:g} pixels, but it has {size[0]} x {size[1]}',
                )
            turn = _UPRIGHT[orientation]
            corners = turn(*corners[0]), turn(*corners[1])
        (x0, y0), (x1, y1) = corners
        left, right = sorted((x0 * size[0], x1 * size[0]))
        top, bottom = sorted((y0 * size[1], y1 * size[1]))
        if right <= 0 or bottom <= 0 or left >= size[0] or top >= size[1]:
            raise BadImage(*self._outside(self.size or size))
        box = PixelBox(round(left), round(top), round(right), round(bottom))
        return PixelBox(*box[:2], max(box[0] + 1, box[2]), max(box[1] + 1, box[3])).padded(0, size)


def _alike(annotated: tuple[float, float], size: tuple[int, int]) -> bool:
    width = annotated[0] * size[1] / annotated[1]
    return abs(width - size[0]) <= max(1.0, _TOLERANCE * size[0])
