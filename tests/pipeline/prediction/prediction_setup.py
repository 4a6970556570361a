"""Folders of images of every kind, the models that answer to them, and tables read again."""

from __future__ import annotations

import csv
import functools
import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import tensorflow as tf
from PIL import Image

from tests.components.ingestion import images
from thawline.components.bulk_prediction import listing
from thawline.components.ingestion import decoding
from thawline.components.ingestion.params import Columns
from thawline.components.saved_model.runner import SavedModelRunner
from thawline.pipeline.engines.beam_options import IN_PROCESS
from thawline.pipeline.prediction import batch
from thawline.pipeline.prediction.batch import PredictionResult, SizeLimits

BOUNDS = SizeLimits(1024, 10**7)
EXIF_TURNED = 6


def turned() -> Image.Exif:
    """Says that the camera was held on its side."""
    exif = Image.Exif()
    exif[0x0112] = EXIF_TURNED
    return exif


def good() -> dict[str, bytes]:
    """Names and bytes of images that can be used, of many kinds and with hostile names."""
    picture, encoded = images.picture, images.encoded
    deep = Image.fromarray(np.linspace(0, 60_000, 24 * 20).reshape(20, 24).astype(np.uint16))
    return {
        'plain.jpg': encoded(picture(1, (40, 30)), 'JPEG'),
        'grey.png': encoded(picture(2, mode='L'), 'PNG'),
        'rotated.jpg': encoded(picture(3, (40, 20)), 'JPEG', exif=turned()),
        'rotated.png': encoded(picture(4, (40, 20)), 'PNG', exif=turned()),
        'ink.jpg': encoded(picture(5, mode='CMYK'), 'JPEG'),
        'deep.png': encoded(deep, 'PNG'),
        'scan.tif': encoded(picture(6), 'TIFF'),
        'web.webp': encoded(picture(7), 'WEBP', lossless=True),
        'clear.png': encoded(picture(8, mode='RGBA'), 'PNG'),
        'large.jpg': encoded(picture(9, (1300, 700)), 'JPEG'),
        'sub/a,b "c".png': encoded(picture(10), 'PNG'),
        'sub/line\nbreak.png': encoded(picture(11), 'PNG'),
        "sub/קטן'.png": encoded(picture(12), 'PNG'),
        'no_suffix': encoded(picture(13), 'PNG'),
    }


def bad() -> dict[str, bytes]:
    """The same of files that cannot be used."""
    whole = images.encoded(images.picture(1, (40, 30)), 'JPEG')
    broken = bytearray(images.encoded(images.picture(2, (60, 50)), 'PNG'))
    broken[len(broken) // 2] ^= 0xFF  # a checksum no longer fits; the header is sound
    return {
        'cut.jpg': whole[: len(whole) // 2],
        'empty.png': b'',
        'broken.png': bytes(broken),
        'text.jpg': b'this is no image',
        'notes.txt': b'neither is this',
        'bomb.png': images.png_header(40_000, 40_000),
    }


def write(root: pathlib.Path, files: Mapping[str, bytes]) -> pathlib.Path:
    """Writes files below a folder."""
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def write_not_utf8(root: pathlib.Path, data: bytes) -> str:
    """Writes a file whose name is not UTF-8; returns how it is shown."""
    with open(os.path.join(os.fsencode(root), b'sub', b'\xff.png'), 'wb') as file:
        file.write(data)
    return f'{root}/sub/\\udcff.png'


def write_records(path: pathlib.Path, some: Sequence[bytes | None]) -> pathlib.Path:
    """Examples of encoded images with the features that ingestion writes; None: without one."""
    options = tf.io.TFRecordOptions('GZIP' if path.suffix == '.gz' else '')
    with tf.io.TFRecordWriter(str(path), options) as writer:
        for data in some:
            example = tf.train.Example()
            feature = example.features.feature
            feature['split'].bytes_list.value.append(b'none that is known')
            if data is not None:
                feature['image'].bytes_list.value.append(data)
            writer.write(example.SerializeToString())
    return path


def predict(
    sources: Sequence[pathlib.Path | str],
    model: pathlib.Path,
    target: pathlib.Path,
    abstain_below: float | None = None,
    beam: Sequence[str] = IN_PROCESS,
) -> PredictionResult:
    """Predicts what a listing of the sources finds."""
    listed = listing.of_sources([str(source) for source in sources], Columns())
    return batch.predict(listed, str(model), target, Columns(), BOUNDS, beam, abstain_below)


def reference(model: pathlib.Path, data: bytes) -> dict[str, np.ndarray]:
    """What the model answers to an image as ingestion would have written it."""
    image = decoding.canonicalise(data, BOUNDS.max_side, BOUNDS.max_pixels).image
    served = _loaded(model)('serving_bytes', image_bytes=[image])
    return {name: value[0] for name, value in served.items()}


@functools.lru_cache(maxsize=2)
def _loaded(model: pathlib.Path) -> SavedModelRunner:
    return SavedModelRunner(model)


def read(table: pathlib.Path) -> list[dict[str, Any]]:
    """Rows of any kind of table, in the form that jsonl has; abstained where it is there."""
    if table.suffix == '.jsonl':
        return [json.loads(line) for line in table.read_text('utf-8').split('\n') if line]
    if table.suffix == '.parquet':
        found: list[dict[str, Any]] = pq.read_table(table).to_pylist()
        return found
    rows = []
    with table.open(newline='', encoding='utf-8') as file:
        for row in csv.DictReader(file):
            prefix = 'probability_'
            probabilities = {
                name.removeprefix(prefix): float(value)
                for name, value in row.items()
                if name.startswith(prefix)
            }
            one: dict[str, Any] = {
                'path': row['path'],
                'label': row['label'],
                'score': float(row['score']),
                'probabilities': probabilities,
            }
            if 'abstained' in row:
                one['abstained'] = {'true': True, 'false': False}[row['abstained']]
            rows.append(one)
    return rows


def quarantined(table: pathlib.Path) -> dict[str, str]:
    """Reasons by path, as they stand beside a table."""
    with table.with_name(f'{table.stem}.quarantine.csv').open(newline='', encoding='utf-8') as file:
        return {row['path']: row['reason'] for row in csv.DictReader(file)}
