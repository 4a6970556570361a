"""TFX's executor of Transform with bounded batches and the depth of the images."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from tfx.components.transform import executor
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact

from thawline.components.shared import property_names, sample_depth
from thawline.components.transform import preprocessing

# Beam would grow batches to 1,000 examples; at 300 x 300 pixels that is 270 MB a worker thread.
_BATCH = 64


class Executor(executor.Executor):
    """TFX's executor; the graph gets the ranges of samples that ingestion chose."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """As TFX calls it."""
        depth = sample_depth.read(artifact_utils.get_single_uri(input_dict['examples']))
        config = json.loads(exec_properties[property_names.CUSTOM_CONFIG])
        config[preprocessing.DEPTH] = dataclasses.asdict(depth)
        properties = {**exec_properties, property_names.CUSTOM_CONFIG: json.dumps(config)}
        super().Do(input_dict, output_dict, properties)
        sample_depth.write(depth, artifact_utils.get_single_uri(output_dict['transform_graph']))

    def _GetDesiredBatchSize(self, *args: object) -> int:  # noqa: N802 - the name is TFX's
        return _BATCH
