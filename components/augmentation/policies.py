"""Ranges of the random changes, by name."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Policy:
    """Ranges of the random changes; zeros and False mean that nothing changes.

    Attributes:
        flip_horizontal, flip_vertical: mirrored with probability one half.
        quarter_turns: rotated by a random multiple of 90 degrees.
        rotation: largest rotation either way, in degrees.
        zoom: smallest and largest share of the side that is shown (below 1 crops).
        aspect: largest relative change of the aspect ratio.
        shift: largest move either way, as a share of the side.
        brightness: largest change either way, as a share of 255.
        contrast, saturation: largest relative change either way.
        single: each image gets one kind of change (or none) at a strength of its own instead of
            all together; mirrors and quarter turns come besides. Such policies can be strong
            without their sum destroying the picture (TrivialAugment, Müller & Hutter, ICCV 2021).
    """

    flip_horizontal: bool = False
    flip_vertical: bool = False
    quarter_turns: bool = False
    rotation: float = 0.0
    zoom: tuple[float, float] = (1.0, 1.0)
    aspect: float = 0.0
    shift: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    single: bool = False

    @property
    def is_identity(self) -> bool:
        """Whether the policy changes nothing."""
        return self == Policy()

    @property
    def resamples(self) -> bool:
        """Whether pixels are computed anew; mirroring alone only moves them."""
        return bool(
            self.quarter_turns
            or self.rotation
            or self.zoom != (1.0, 1.0)
            or self.aspect
            or self.shift
        )


POLICIES = {
    'none': Policy(),
    # Without resampling, which blurs: for the fine texture that inspection often turns on.
    'flip': Policy(flip_horizontal=True, brightness=0.05, contrast=0.1),
    'flips': Policy(flip_horizontal=True, flip_vertical=True, brightness=0.05, contrast=0.1),
    'light': Policy(
        flip_horizontal=True, rotation=5.0, zoom=(0.9, 1.0), brightness=0.05, contrast=0.1
    ),
    'standard': Policy(
        flip_horizontal=True,
        rotation=15.0,
        zoom=(0.75, 1.05),
        aspect=0.1,
        shift=0.05,
        brightness=0.1,
        contrast=0.2,
        saturation=0.2,
    ),
    'strong': Policy(
        flip_horizontal=True,
        rotation=30.0,
        zoom=(0.5, 1.1),
        aspect=0.25,
        shift=0.1,
        brightness=0.2,
        contrast=0.4,
        saturation=0.4,
    ),
    'trivial': Policy(
        flip_horizontal=True,
        rotation=45.0,
        zoom=(0.4, 1.1),
        aspect=0.4,
        shift=0.2,
        brightness=0.3,
        contrast=0.6,
        saturation=0.8,
        single=True,
    ),
    # For pictures without an up: inspection from above, microscopy, aerial views.
    'any_orientation': Policy(
        flip_horizontal=True,
        flip_vertical=True,
        quarter_turns=True,
        rotation=5.0,
        zoom=(0.9, 1.0),
        brightness=0.05,
        contrast=0.1,
    ),
}
