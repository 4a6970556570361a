"""TFX's executor of Transform for the graph; what it writes of each image is ours.

The graph gets the depth of the images. The classes are all that TFX would analyse for it, and the
table of the images has them: without analysis the graph is traced twice in place of ten times, and
there is no pipeline. `beam_pipeline` then applies it, with what the content store has.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from tfx.components.transform import executor
from tfx.proto import transform_pb2
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact
from tfx.utils import io_utils, proto_utils

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
from thawline.components.transform import graph as transform_graph

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
        table = image_table.read(raw.uri)
        if table is None:  # of an older ingestion
            self._analyse(input_dict, output_dict, exec_properties, config, splits)
        else:
            uri = artifact_utils.get_single_uri(input_dict['schema'])
            schema = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(uri))
            transform_graph.write(schema, config, _class_names(table, list(splits.analyze)), graph)
        sample_depth.write(depth, graph)
        transformed = artifact_utils.get_single_instance(output_dict[_TRANSFORMED])
        there = artifact_utils.decode_split_names(raw.split_names)  # with folds, test may not be
        transformed.split_names = artifact_utils.encode_split_names(
            [split for split in splits.transform if split in there]
        )
        progress.start('images', table and table.num_rows)
        self._transform(raw, graph, transformed, config)

    def _analyse(
        self,
        inputs: dict[str, list[Artifact]],
        outputs: dict[str, list[Artifact]],
        properties: dict[str, Any],
        config: dict[str, Any],
        splits: transform_pb2.SplitsConfig,
    ) -> None:
        """TFX reads all examples for the classes, and writes the graph."""
        only_analysed = transform_pb2.SplitsConfig(analyze=splits.analyze)
        analysis = {
            **properties,
            property_names.CUSTOM_CONFIG: json.dumps(config),
            _SPLITS_CONFIG: proto_utils.proto_to_json(only_analysed),
        }
        graph_alone = {key: value for key, value in outputs.items() if key != _TRANSFORMED}
        super().Do(inputs, graph_alone, analysis)

    def _transform(
        self, raw: Artifact, graph: str, transformed: Artifact, config: dict[str, Any]
    ) -> None:
        namespace = content_store.lent_namespace('pixels', for_store(config))
        folders = split_files.folders(transformed)
        files = {split: split_files.files(raw)[split] for split in folders}
        with self._make_beam_pipeline() as pipeline:
            beam_pipeline.transform(pipeline, files, graph, config, folders, namespace)
        stored_fn.record_use(transformed, namespace, pipeline)

    def _GetDesiredBatchSize(self, *args: object) -> int:  # noqa: N802 - the name is TFX's
        return _BATCH


def _class_names(table: pa.Table, splits: list[str]) -> list[str]:
    """The distinct labels of these splits, in alphabetical order."""
    analysed = table.filter(pc.is_in(table['split'], value_set=pa.array(splits)))
    return sorted(filter(None, analysed['label'].unique().to_pylist()))


def for_store(config: dict[str, Any]) -> dict[str, Any]:
    """What pixels depend on beside the encoded image, and how a record has them."""
    return {
        **config,
        **code_digest.key_properties(preprocessing.__name__),
        'record': beam_pipeline.RECORD,
    }
