"""Our pipeline of Transform against TFX's library, and with the content store against without."""

from __future__ import annotations

import dataclasses
import pathlib

import tensorflow as tf
from apache_beam.options.pipeline_options import PipelineOptions
from tfx.types import standard_artifacts

import apache_beam as beam  # isort: skip

from tests.components import transformed
from tests.components.transformed import Transformed
from thawline.components.shared import property_names, stored_fn
from thawline.components.shared.content_store import Namespace, Store
from thawline.components.shared.store_shards import key_of
from thawline.components.transform import beam_pipeline, preprocessing
from thawline.pipeline.engines.beam_options import IN_PROCESS

NAMES = (preprocessing.PIXELS, preprocessing.LABEL_INDEX, preprocessing.IMAGE_ID)
NAMES += (preprocessing.LABEL_CONFIDENCE,)
CONFIG = {'image_size': transformed.SIZE, 'resize': transformed.RESIZE}


def records(folder: pathlib.Path) -> list[bytes]:
    files = [str(path) for path in sorted(folder.glob('*.gz'))]
    assert files
    return list(tf.data.TFRecordDataset(files, 'GZIP').as_numpy_iterator())


def features(folder: pathlib.Path) -> list[dict[str, str]]:
    """Every feature of every example, in the order of the ids."""
    examples = [tf.train.Example.FromString(record).features.feature for record in records(folder)]
    found = [{name: str(feature) for name, feature in one.items()} for one in examples]
    return sorted(found, key=lambda one: one[preprocessing.IMAGE_ID])


def write(path: pathlib.Path, rows: tuple[transformed.Row, ...]) -> str:
    with tf.io.TFRecordWriter(str(path), 'GZIP') as writer:
        for row in rows:
            writer.write(transformed.example(row))
    return str(path)


def run(
    graph: pathlib.Path,
    files: dict[str, list[str]],
    out: pathlib.Path,
    where: Namespace | None = None,
) -> int:
    """Runs the pipeline; how many images came from the store."""
    folders = {split: str(out / split) for split in files}
    with beam.Pipeline(options=PipelineOptions(list(IN_PROCESS))) as root:
        beam_pipeline.transform(root, files, str(graph), CONFIG, folders, where)
    artifact = standard_artifacts.Examples()
    stored_fn.record_use(artifact, where, root)
    return artifact.get_int_custom_property(property_names.FROM_STORE)


def test_equals_tfx_with_and_without_the_store(
    transformed: Transformed, tmp_path: pathlib.Path
) -> None:
    train = tuple(row for row in transformed.rows if row.image_id.startswith('0'))
    other = tuple(row for row in transformed.rows if row.image_id.startswith('1'))
    files = {
        'train': [write(tmp_path / 'a.gz', train[:7]), write(tmp_path / 'b.gz', train[7:])],
        'eval': [write(tmp_path / 'c.gz', other)],
        'empty': [write(tmp_path / 'd.gz', ())],
    }
    assert run(transformed.folder, files, tmp_path / 'plain') == 0
    for split, folder in transformed.examples.items():
        written = features(tmp_path / 'plain' / split)
        assert all(one.pop(preprocessing.PIXELS_DIGEST) for one in written)
        assert written == features(folder)
        assert set(written[0]) == set(NAMES)
    assert records(tmp_path / 'plain' / 'empty') == []

    where = Store(tmp_path / 'store', 10**9).namespace('pixels', {})
    assert run(transformed.folder, {'train': files['train'][:1]}, tmp_path / 'few', where) == 0
    for name, stored in (('more', 7), ('again', len(transformed.rows))):
        assert run(transformed.folder, files, tmp_path / name, where) == stored
        for split in files:
            assert features(tmp_path / name / split) == features(tmp_path / 'plain' / split)


def test_digests_are_of_the_pixels(transformed: Transformed, tmp_path: pathlib.Path) -> None:
    row = transformed.rows[0]
    copy = dataclasses.replace(row, image_id='copy')
    other = next(one for one in transformed.rows if one.image != row.image)
    where = Store(tmp_path / 'store', 10**9).namespace('pixels', {})
    files = {'train': [write(tmp_path / 'a.gz', (row, copy, other))]}
    for name in ('computed', 'stored'):
        assert run(transformed.folder, files, tmp_path / name, where) == 3 * (name == 'stored')
        digests = {}
        for record in records(tmp_path / name / 'train'):
            values = tf.train.Example.FromString(record).features.feature
            (packed,) = values[preprocessing.PIXELS].bytes_list.value
            (digest,) = values[preprocessing.PIXELS_DIGEST].bytes_list.value
            assert digest == key_of(packed)
            (image_id,) = values[preprocessing.IMAGE_ID].bytes_list.value
            digests[image_id.decode()] = digest
        assert digests[row.image_id] == digests['copy'] != digests[other.image_id]
