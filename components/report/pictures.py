"""Pictures for the page: thumbnails, and Grad-CAM heat maps to lay over them."""

from __future__ import annotations

import base64
import dataclasses
import io
import logging
from collections.abc import Collection, Mapping, Sequence

import matplotlib
import numpy as np
import tensorflow as tf
from PIL import Image

from thawline.components.shared import tf_data
from thawline.components.shared.splits import part_name

# The longest side in pixels: even of noise, which JPEG compresses worst, 600 thumbnails with
# overlays stay well below 15 MB.
SIDE = 160
_QUALITY = 80
# Levels of heat in an overlay, and the opacity of the hottest one.
_STEPS = 32
_OPACITY = 0.65


@dataclasses.dataclass(frozen=True)
class IngestedImage:
    """An image as ingested."""

    path: str
    split: str
    label: str
    encoded: bytes


_FEATURES = {
    'image': tf.io.FixedLenFeature([], tf.string),
    'image_id': tf.io.FixedLenFeature([], tf.string),
    'path': tf.io.FixedLenFeature([], tf.string, ''),
    'label': tf.io.FixedLenFeature([], tf.string, ''),
    'group': tf.io.FixedLenFeature([], tf.string, ''),
    'cluster': tf.io.FixedLenFeature([], tf.string, ''),  # Absent from older ones.
    'fold': tf.io.FixedLenFeature([], tf.int64, -1),  # Absent without folds and in test.
}


@dataclasses.dataclass(frozen=True)
class ExampleScan:
    """The result of one pass through the examples.

    Attributes:
        images: by id, those requested that exist.
        groups: by split, or by fold ('fold 2'), the groups of images that belong together.
        count: images by split.
    """

    images: dict[str, IngestedImage]
    groups: dict[str, set[bytes]]
    count: dict[str, int]


def scan_examples(files: Mapping[str, Sequence[str]], image_ids: Collection[str]) -> ExampleScan:
    """Reads the examples of each split once; skips damaged or missing files.

    Args:
        files: split -> gzipped TFRecords of tf.Examples.
        image_ids: of the images to keep.
    """
    ids = {name.encode() for name in image_ids}
    scan = ExampleScan({}, {split: set() for split in files}, dict.fromkeys(files, 0))
    for split, shards in files.items():
        if not shards:
            continue
        parsed = tf_data.batches(
            sorted(shards), 64, lambda batch: tf.io.parse_example(batch, _FEATURES)
        )
        try:
            for batch in parsed.as_numpy_iterator():
                scan.count[split] += len(batch['image_id'])
                together = np.where(batch['cluster'], batch['cluster'], batch['group'])
                names = [part_name(split, fold) for fold in batch['fold']]
                for name, group in zip(names, together, strict=True):
                    scan.groups.setdefault(name, set()).add(group)
                for i in np.flatnonzero([name in ids for name in batch['image_id']]):
                    path, label = (batch[key][i].decode('utf-8') for key in ('path', 'label'))
                    scan.images[batch['image_id'][i].decode()] = IngestedImage(
                        path, names[i], label, batch['image'][i]
                    )
        except tf.errors.OpError as error:
            logging.warning('pictures of %s are missing: %s', split, error.message.splitlines()[0])
    return scan


def _data_uri(kind: str, data: bytes) -> str:
    return f'data:image/{kind};base64,{base64.b64encode(data).decode()}'


def thumbnail_size(encoded: bytes) -> tuple[int, int]:
    """Width and height of the thumbnail, in pixels."""
    with Image.open(io.BytesIO(encoded)) as image:
        scale = min(1.0, SIDE / max(image.size))
        return max(1, round(image.width * scale)), max(1, round(image.height * scale))


def thumbnail(encoded: bytes) -> str:
    """A small JPEG of an image, as a data URI."""
    with Image.open(io.BytesIO(encoded)) as image:
        small = image.convert('RGB').resize(thumbnail_size(encoded), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, 'JPEG', quality=_QUALITY, optimize=True)
    return _data_uri('jpeg', out.getvalue())


def overlay(heat: np.ndarray, size: tuple[int, int], resize: str) -> str:
    """A heat map over a thumbnail, as a data URI of a PNG that is transparent where it is cold.

    Args:
        heat: float32 [h, w] in [0, 1], over what the model sees.
        size: width and height of the thumbnail.
        resize: how the model resizes images; see `components.transform.preprocessing.resize`.
    """
    width, height = size
    long, short = max(size), min(size)
    seen = {'stretch': size, 'crop': (short, short), 'letterbox': (long, long)}[resize]
    square = Image.fromarray(heat.astype(np.float32)).resize(seen, Image.Resampling.BICUBIC)
    placed = Image.new('F', size)
    # Centred on each other; the part over the bars of a letterbox falls outside.
    placed.paste(square, ((width - seen[0]) // 2, (height - seen[1]) // 2))
    steps = np.clip(np.asarray(placed) * (_STEPS - 1), 0, _STEPS - 1).round().astype(np.uint8)
    image = Image.fromarray(steps, 'P')
    warmth = np.linspace(0, 1, _STEPS)
    image.putpalette(
        (matplotlib.colormaps['inferno'](warmth)[:, :3] * 255).astype(np.uint8).tobytes()
    )
    out = io.BytesIO()
    clear = (warmth * _OPACITY * 255).astype(np.uint8).tobytes()
    image.save(out, 'PNG', transparency=clear, optimize=True)
    return _data_uri('png', out.getvalue())
