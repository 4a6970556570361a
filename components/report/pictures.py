"""Small pictures for the page: thumbnails, and the heat of Grad-CAM to lay over them."""

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

# The longest side in pixels: even of noise, which JPEG compresses worst, 600 of them with their
# overlays stay well below 15 MB.
SIDE = 160
_QUALITY = 80
# Steps of heat in an overlay, and how much of the picture the hottest one covers.
_STEPS = 32
_OPACITY = 0.65


@dataclasses.dataclass(frozen=True)
class IngestedImage:
    """An image as it was ingested."""

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
}


@dataclasses.dataclass(frozen=True)
class ExampleScan:
    """What one look through the examples found.

    Attributes:
        images: by id, those that were asked for and are there.
        groups: by split, the groups of images that are never split.
        count: images by split.
    """

    images: dict[str, IngestedImage]
    groups: dict[str, set[bytes]]
    count: dict[str, int]


def scan_examples(files: Mapping[str, Sequence[str]], wanted: Collection[str]) -> ExampleScan:
    """Looks through the examples of each split, once; damaged or missing files are passed by.

    Args:
        files: split -> gzipped TFRecords of tf.Examples.
        wanted: ids of images.
    """
    ids = {name.encode() for name in wanted}
    found = ExampleScan({}, {split: set() for split in files}, dict.fromkeys(files, 0))
    for split, names in files.items():
        if not names:
            continue
        parsed = tf_data.batches(
            sorted(names), 64, lambda batch: tf.io.parse_example(batch, _FEATURES)
        )
        try:
            for batch in parsed.as_numpy_iterator():
                found.count[split] += len(batch['image_id'])
                found.groups[split].update(batch['group'])
                for i in np.flatnonzero([name in ids for name in batch['image_id']]):
                    path, label = (batch[key][i].decode('utf-8') for key in ('path', 'label'))
                    found.images[batch['image_id'][i].decode()] = IngestedImage(
                        path, split, label, batch['image'][i]
                    )
        except tf.errors.OpError as error:
            logging.warning('pictures of %s are missing: %s', split, error.message.splitlines()[0])
    return found


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
    """The heat over a thumbnail, as a data URI of a PNG that is clear where there is none.

    Args:
        heat: float32 [h, w] in [0, 1], over what the model sees.
        size: width and height of the thumbnail.
        resize: how the model's square was made of the image; see
            `components.transform.preprocessing.resize`.
    """
    width, height = size
    long, short = max(size), min(size)
    seen = {'stretch': size, 'crop': (short, short), 'letterbox': (long, long)}[resize]
    square = Image.fromarray(heat.astype(np.float32)).resize(seen, Image.Resampling.BICUBIC)
    placed = Image.new('F', size)
    # Centred on each other; of a letterbox what lies over the bars falls outside.
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
