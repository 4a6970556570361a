"""Finds the weights of bases, and says how to get those that are missing; needs no TensorFlow."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

from thawline.components import backbones

# Multiply-adds of one forward pass at 224 pixels, in millions, as the papers give them (MobileNetV2
# arXiv:1801.04381 table 4 and its model zoo, V3 arXiv:1905.02244, ResNet arXiv:1512.03385,
# EfficientNet arXiv:1905.11946, V2 arXiv:2104.00298, Lite: tensorflow/tpu, ConvNeXt
# arXiv:2201.03545). Only for the order and the estimate of the time left, never for results.
MEGA_MULTIPLY_ADDS = {
    'mobilenet_v2': 300,
    'mobilenet_v2_035': 59,
    'resnet50': 3900,
    'resnet50_v2': 3900,
    'efficientnet_v2_b0': 720,
    'efficientnet_b0': 390,
    'mobilenet_v3_large': 219,
    'convnext_tiny': 4500,
    'efficientnet_lite0': 407,
}


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A base at a size.

    Attributes:
        backbone: its name in the registry.
        image_size: side in pixels.
        load: the weights for `backbones.build`: a name, or the path of a file.
        weights: the same weights as a project file names them.
    """

    backbone: str
    image_size: int
    load: str
    weights: str

    @property
    def label(self) -> str:
        """`mobilenet_v2 224`."""
        return f'{self.backbone} {self.image_size}'

    @property
    def work(self) -> float:
        """Roughly proportional to the time of one forward pass."""
        per_image = MEGA_MULTIPLY_ADDS[self.backbone]
        return per_image * (self.image_size / 224) ** 2


@dataclasses.dataclass(frozen=True)
class MissingBase:
    """A base that is skipped.

    Attributes:
        backbone: its name.
        reason: why, or how to get its weights.
        file: name of the weights file that Keras would download, where the file is missing.
    """

    backbone: str
    reason: str
    file: str = ''


def smallest_base() -> str:
    """Name of the base with the smallest weights file."""
    return min(backbones.names(), key=lambda name: backbones.entry(name).megabytes)


def find(
    bases: Sequence[tuple[str, int]],
    files: Mapping[str, tuple[pathlib.Path, str]],
    folders: Sequence[pathlib.Path],
    download: bool,
) -> tuple[list[Candidate], list[MissingBase]]:
    """Finds the weights of each base.

    In this order: the project's own file, the package, Keras's cache, a file of Keras's name in one
    of `folders`; then, if allowed, a download.

    Args:
        bases: (base, image side in pixels).
        files: by base, the project's weights file and its name in the configuration.
        folders: further folders with weights files.
        download: whether Keras may download missing weights.

    Returns:
        The candidates, size by size and the cheapest first, and the missing bases.

    Raises:
        ConfigError: a base is unknown.
    """
    candidates: list[Candidate] = []
    missing: dict[tuple[str, int], MissingBase] = {}
    for name, size in dict.fromkeys(bases):
        entry = backbones.entry(name)
        if size < entry.min_size:
            reason = f'needs images of at least {entry.min_size} pixels a side. Received: {size}'
            missing[name, size] = MissingBase(name, reason)
        elif name in files and not files[name][0].is_file():
            missing[name, 0] = MissingBase(
                name, f'the weights file {files[name][0]} does not exist'
            )
        elif candidate := _locate(entry, size, files, folders, download):
            candidates.append(candidate)
        else:
            missing[name, 0] = _missing_weights(entry, size)
    return sorted(candidates, key=lambda c: (c.image_size, c.work)), list(missing.values())


def _locate(
    entry: backbones.BackboneEntry,
    size: int,
    files: Mapping[str, tuple[pathlib.Path, str]],
    folders: Sequence[pathlib.Path],
    download: bool,
) -> Candidate | None:
    if entry.name in files:
        path, text = files[entry.name]
        return Candidate(entry.name, size, str(path), text)
    if backbones.availability(entry.name).get('package', '').startswith('present'):
        return Candidate(entry.name, size, 'package', 'package')
    cached = entry.cached_imagenet_file(size)
    general = entry.cached_imagenet_file(entry.default_size)
    if cached is None or general is None:
        return None
    if cached.is_file():
        # By its path: by its name, Keras would download a damaged file again.
        return Candidate(entry.name, size, str(cached), 'imagenet')
    # Convolutions take any size, so weights for another image size work too.
    for path in (folder / file.name for folder in folders for file in (cached, general)):
        if path.is_file():
            return Candidate(entry.name, size, str(path), str(path))
    return Candidate(entry.name, size, 'imagenet', 'imagenet') if download else None


def _missing_weights(entry: backbones.BackboneEntry, size: int) -> MissingBase:
    cached = entry.cached_imagenet_file(size)
    if cached is None:
        how = backbones.availability(entry.name)['package'].removeprefix('absent: ')
        return MissingBase(entry.name, how)
    return MissingBase(entry.name, f'weights not found ({entry.megabytes} MB)', cached.name)
