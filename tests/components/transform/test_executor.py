"""The executor of Transform: what it knows from the table of the images, and what TFX finds."""

from __future__ import annotations

import json
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf
import tensorflow_transform as tft
from google.protobuf import text_format
from tfx.dsl.components.base import base_beam_executor
from tfx.proto import transform_pb2
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from tests.components import transformed as making
from tests.components.transform.test_beam_pipeline import features
from tests.components.transformed import CLASSES, RESIZE, SIZE
from thawline.components.shared import image_table
from thawline.components.transform import executor, preprocessing
from thawline.pipeline.engines.beam_options import IN_PROCESS

SPLITS = ('train', 'val')
PROPERTIES = {
    'custom_config': json.dumps({'image_size': SIZE, 'resize': RESIZE}),
    'preprocessing_fn': 'thawline.components.transform.preprocessing.preprocessing_fn',
    'splits_config': proto_utils.proto_to_json(
        transform_pb2.SplitsConfig(analyze=['train'], transform=SPLITS)
    ),
    'disable_statistics': 1,
}
STRANGER = making.Row(making.rows(1)[0].image, 'only in val', 'stranger')
ROWS = {'train': making.rows(2), 'val': (*making.rows(1, seed=1), STRANGER)}


def ingested(folder: pathlib.Path, with_table: bool) -> standard_artifacts.Examples:
    examples = standard_artifacts.Examples()
    examples.uri = str(folder)
    examples.split_names = json.dumps(SPLITS)
    for split, rows in ROWS.items():
        place = folder / f'Split-{split}'
        place.mkdir(parents=True)
        with tf.io.TFRecordWriter(str(place / 'data_tfrecord-0.gz'), 'GZIP') as writer:
            for row in rows:
                writer.write(making.example(row))
    if with_table:
        images = [
            {'image_id': row.image_id, 'split': split, 'label': row.label}
            for split, rows in ROWS.items()
            for row in rows
        ]
        table = pa.Table.from_pylist(images, image_table.SCHEMA)
        pq.write_table(table, folder / 'images.parquet')
    return examples


def transform(folder: pathlib.Path, with_table: bool) -> dict[str, pathlib.Path]:
    """Runs the executor; the folders of what it wrote."""
    schema = standard_artifacts.Schema()
    schema.uri = str(folder / 'schema')
    raw = {name: tf.io.FixedLenFeature([1], tf.string) for name in making.FEATURES}
    (folder / 'schema').mkdir(parents=True)
    (folder / 'schema' / 'schema.pbtxt').write_text(
        text_format.MessageToString(tft.DatasetMetadata.from_feature_spec(raw).schema)
    )
    outputs = {
        'transform_graph': standard_artifacts.TransformGraph(),
        'transformed_examples': standard_artifacts.Examples(),
    }
    for name, artifact in outputs.items():
        artifact.uri = str(folder / name)
    context = base_beam_executor.BaseBeamExecutor.Context(
        beam_pipeline_args=list(IN_PROCESS), tmp_dir=str(folder / 'tmp'), unique_id='1'
    )
    executor.Executor(context).Do(
        {'examples': [ingested(folder / 'examples', with_table)], 'schema': [schema]},
        {name: [artifact] for name, artifact in outputs.items()},
        dict(PROPERTIES),
    )
    assert outputs['transformed_examples'].split_names == json.dumps(SPLITS)
    return {name: pathlib.Path(artifact.uri) for name, artifact in outputs.items()}


def answers(graph: pathlib.Path) -> dict[str, list[object]]:
    """What the graph gives for all images."""
    rows = [*ROWS['train'], *ROWS['val']]
    raw = {n: tf.constant([[getattr(row, n)] for row in rows]) for n in making.FEATURES}
    layer = tft.TFTransformOutput(str(graph)).transform_features_layer()
    return {name: value.numpy().tolist() for name, value in layer(raw).items()}


def examples(folder: pathlib.Path) -> dict[str, list[dict[str, str]]]:
    """Of each split, all features of all examples in the order of the ids."""
    return {split: features(folder / f'Split-{split}') for split in SPLITS}


def test_classes_of_the_table_are_those_that_tfx_finds(tmp_path: pathlib.Path) -> None:
    known = transform(tmp_path / 'known', with_table=True)
    analysed = transform(tmp_path / 'analysed', with_table=False)
    for folder in (known, analysed):
        output = tft.TFTransformOutput(str(folder['transform_graph']))
        assert preprocessing.class_names(output) == [name.encode() for name in CLASSES]
        assert output.raw_feature_spec().keys() == set(making.FEATURES)
    found, expected = (answers(one['transform_graph']) for one in (known, analysed))
    assert found == expected
    assert found[preprocessing.LABEL_INDEX][-1] == preprocessing.UNKNOWN_CLASS
    assert len(set(found[preprocessing.LABEL_INDEX])) == len(CLASSES) + 1
    assert examples(known['transformed_examples']) == examples(analysed['transformed_examples'])
    outputs = [
        tft.TFTransformOutput(str(one['transform_graph'])).transformed_feature_spec()
        for one in (known, analysed)
    ]
    assert outputs[0] == outputs[1]
