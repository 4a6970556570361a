"""TFX's executor of Transform for the graph; what it writes of each image is ours.

TFX analyses, with bounded batches and the depth of the images, and exports the graph.
`beam_pipeline` then applies it, with what the content store has.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import json
import os
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
from tfx.components.transform import executor
from tfx.dsl.io import fileio
from tfx.proto import transform_pb2
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact
from tfx.utils import proto_utils

from thawline.components.shared import (
    code_digest,
    content_store,
    image_table,
    progress,
    property_names,
    sample_depth,
    split_files,
    stored_fn,
)
from thawline.components.transform import beam_pipeline, preprocessing

# Beam would grow batches to 1,000 examples; at 300 x 300 pixels that is 270 MB a worker thread.
_BATCH = 64
_TRANSFORMED, _SPLITS_CONFIG = 'transformed_examples', 'splits_config'


class Executor(executor.Executor):
    """TFX's executor; the graph gets the ranges of samples that ingestion chose."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """As TFX calls it."""
        raw = artifact_utils.get_single_instance(input_dict['examples'])
        graph = artifact_utils.get_single_uri(output_dict['transform_graph'])
        depth = sample_depth.read(raw.uri)
        config = json.loads(exec_properties[property_names.CUSTOM_CONFIG])
        config[preprocessing.DEPTH] = dataclasses.asdict(depth)
        splits = transform_pb2.SplitsConfig()
        proto_utils.json_to_proto(exec_properties[_SPLITS_CONFIG], splits)
        only_analysed = transform_pb2.SplitsConfig(analyze=splits.analyze)
        analysis = {
            **exec_properties,
            property_names.CUSTOM_CONFIG: json.dumps(config),
            _SPLITS_CONFIG: proto_utils.proto_to_json(only_analysed),
        }
        outputs = {key: value for key, value in output_dict.items() if key != _TRANSFORMED}
        table = image_table.read(raw.uri)
        with _example_of_each_class(raw, table, list(splits.analyze), graph) as few:
            super().Do({**input_dict, 'examples': [few]}, outputs, analysis)
        sample_depth.write(depth, graph)
        transformed = artifact_utils.get_single_instance(output_dict[_TRANSFORMED])
        transformed.split_names = artifact_utils.encode_split_names(list(splits.transform))
        progress.start('images', table and table.num_rows)
        self._transform(raw, graph, transformed, for_store(config))

    def _transform(
        self, raw: Artifact, graph: str, transformed: Artifact, settings: dict[str, Any]
    ) -> None:
        namespace = content_store.lent_namespace('pixels', settings)
        folders = split_files.folders(transformed)
        files = {split: split_files.files(raw)[split] for split in folders}
        with self._make_beam_pipeline() as pipeline:
            beam_pipeline.transform(pipeline, files, graph, folders, namespace)
        stored_fn.record_use(transformed, namespace, pipeline)

    def _GetDesiredBatchSize(self, *args: object) -> int:  # noqa: N802 - the name is TFX's
        return _BATCH


@contextlib.contextmanager
def _example_of_each_class(
    raw: Artifact, table: pa.Table | None, splits: list[str], folder: str
) -> Iterator[Artifact]:
    """Examples with each class once, for the time of the block; all of them without their table.

    The analysis looks at the distinct labels alone. TFX would read all examples for it, and decode
    their images: the checks of the decoder are no part of the graph that it could leave out.
    """
    if table is None:
        yield raw
        return
    few = copy.deepcopy(raw)
    few.uri = os.path.join(folder, '.classes')
    try:
        for split in splits:
            labels = table.filter(pc.equal(table['split'], split))['label'].unique().to_pylist()
            _write_classes(split_files.files(raw)[split], sorted(filter(None, labels)), few, split)
        yield few
    finally:
        fileio.rmtree(few.uri)


def _write_classes(files: list[str], labels: list[str], few: Artifact, split: str) -> None:
    """Writes the first example with one label after the other."""
    records = tf.data.TFRecordDataset(files, 'GZIP').take(1).as_numpy_iterator()
    folder = artifact_utils.get_split_uri([few], split)
    fileio.makedirs(folder)
    with tf.io.TFRecordWriter(os.path.join(folder, 'data_tfrecord-0.gz'), 'GZIP') as writer:
        for record in records:
            example = tf.train.Example.FromString(record)
            for label in labels:
                example.features.feature['label'].bytes_list.value[:] = [label.encode()]
                writer.write(example.SerializeToString())


def for_store(config: dict[str, Any]) -> dict[str, Any]:
    """What pixels depend on beside the encoded image."""
    return {**config, **code_digest.key_properties(preprocessing.__name__)}
