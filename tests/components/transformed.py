"""A transform graph made by the real TFX Transform library from a handful of tiny images."""

from __future__ import annotations

import dataclasses
import functools
import io
import pathlib
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from PIL import Image

import apache_beam as beam  # isort: skip
import tensorflow_transform.beam as tft_beam  # isort: skip

from tests import once
from thawline.components.shared.sample_depth import FULL_DEPTH, SampleDepth
from thawline.components.transform import preprocessing

SIZE = 32
RESIZE = 'letterbox'
# Names that break naive quoting, sorted by their UTF-8 bytes as the transform sorts them.
_NAMES = ('it\'s "fine"', 'naïve', 'קטן قط', '🐈 cat', 'back\\slash')
CLASSES = tuple(sorted(_NAMES, key=lambda name: name.encode('utf-8')))
FEATURES = ('image', 'label', 'image_id')


@dataclasses.dataclass(frozen=True)
class Row:
    """One raw image."""

    image: bytes
    label: str
    image_id: str


@dataclasses.dataclass(frozen=True)
class Transformed:
    """What Transform leaves behind: the graph's folder, the rows, the examples of each split."""

    folder: pathlib.Path
    rows: tuple[Row, ...]
    examples: dict[str, pathlib.Path]

    @property
    def output(self) -> tft.TFTransformOutput:
        return tft.TFTransformOutput(str(self.folder))


def rows(per_class: int, seed: int = 0) -> tuple[Row, ...]:
    """Noisy PNGs of differing sizes, the classes in reverse order."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(per_class):
        for position, label in enumerate(reversed(CLASSES)):
            height, width = rng.integers(20, 60, 2)
            pixels = np.clip(rng.normal(50 * position, 40, (height, width, 3)), 0, 255)
            file = io.BytesIO()
            Image.fromarray(pixels.astype(np.uint8)).save(file, 'PNG')
            found.append(Row(file.getvalue(), label, f'{seed}-{number}-{position}'))
    return tuple(found)


def example(row: Row, features: tuple[str, ...] = FEATURES) -> bytes:
    """The row as a serialized tf.Example with only these features."""
    values = {
        'image': row.image,
        'label': row.label.encode(),
        'image_id': row.image_id.encode(),
    }
    message = tf.train.Example()
    for name in features:
        message.features.feature[name].bytes_list.value.append(values[name])
    return message.SerializeToString()


def transform_once(folder: pathlib.Path) -> Transformed:
    """The same, made by the first process that asks for this folder."""
    with once.making(folder) as is_first:
        if is_first:
            transform(folder)
    return _transformed(folder, _splits())


def _splits(more: tuple[Row, ...] = ()) -> dict[str, tuple[Row, ...]]:
    return {'train': (*rows(4), *more), 'eval': rows(2, seed=1)}


def _transformed(folder: pathlib.Path, splits: Mapping[str, tuple[Row, ...]]) -> Transformed:
    return Transformed(
        folder / 'graph',
        splits['train'] + splits['eval'],
        {split: folder / 'examples' / split for split in splits},
    )


def transform(
    folder: pathlib.Path,
    ragged: bool = False,
    more: tuple[Row, ...] = (),
    confidence: Mapping[str, float] | None = None,
    size: int = SIZE,
    resize: str = RESIZE,
    depth: SampleDepth = FULL_DEPTH,
    graph_alone: bool = False,
) -> Transformed:
    """Analyses the train rows and transforms both splits.

    Args:
        folder: receives everything.
        ragged: whether the raw features have no fixed shape, as inferred schemas may say.
        more: rows that train has besides; one without a label has an empty one.
        confidence: of labels by the id of the image; None: the source has none, nor has the schema.
        size, resize, depth: of the pixels.
        graph_alone: whether no examples are written.
    """
    types = dict.fromkeys(FEATURES, tf.string)
    if confidence is not None:
        types['label_confidence'] = tf.float32
    spec = {
        name: tf.io.VarLenFeature(kind) if ragged else tf.io.FixedLenFeature([1], kind)
        for name, kind in types.items()
    }
    metadata = tft.DatasetMetadata.from_feature_spec(spec)
    function = functools.partial(
        preprocessing.preprocessing_fn,
        custom_config={
            'image_size': size,
            'resize': resize,
            preprocessing.DEPTH: dataclasses.asdict(depth),
        },
    )

    def sure(row: Row) -> list[float]:
        found = (confidence or {}).get(row.image_id)
        return [] if found is None else [found]

    splits = _splits(more)
    raw = {
        split: [
            {
                'image': [r.image],
                'label': [r.label.encode()] if r.label else [],
                'image_id': [r.image_id.encode()],
                **({} if confidence is None else {'label_confidence': sure(r)}),
            }
            for r in some
        ]
        for split, some in splits.items()
    }
    with beam.Pipeline(runner=FnApiRunner()) as pipeline, tft_beam.Context(str(folder / 'temp')):
        collections = {
            split: pipeline | f'Create {split}' >> beam.Create(some) for split, some in raw.items()
        }
        analysed = (collections['train'], metadata)
        transform_fn = analysed | tft_beam.AnalyzeDataset(function)
        _ = transform_fn | tft_beam.WriteTransformFn(str(folder / 'graph'))
        raw_metadata = folder / 'graph' / tft.TFTransformOutput.RAW_METADATA_DIR
        _ = metadata | tft_beam.WriteMetadata(str(raw_metadata), pipeline)
        for split, collection in () if graph_alone else collections.items():
            data, transformed_metadata = (
                ((collection, metadata), transform_fn)
            ) | f'Transform {split}' >> tft_beam.TransformDataset()
            coder = tft.coders.ExampleProtoCoder(transformed_metadata.schema)
            _ = (
                data
                | f'Encode {split}' >> beam.Map(coder.encode)
                | f'Write {split}'
                >> beam.io.WriteToTFRecord(
                    str(folder / 'examples' / split / 'part'), file_name_suffix='.gz'
                )
            )
    depth.write(folder / 'graph')
    return _transformed(folder, splits)
