"""The work of the serving check, and its blessing."""

from __future__ import annotations

import os
import pathlib

from tfx.components.util import model_utils
from tfx.types.artifact import Artifact
from tfx.utils import io_utils, path_utils

from thawline.components.evaluation import predictions
from thawline.components.serving_check import probe_process
from thawline.components.serving_check.params import ServingCheckSettings
from thawline.components.serving_check.record import ServingCheckRecord
from thawline.components.shared import judged_files, node_names, property_names, split_files
from thawline.components.shared.errors import DataError
from thawline.components.shared.executor import Artifacts, NodeExecutor, Properties
from thawline.components.shared.splits import VAL

# What TFX's InfraValidator writes and Pusher reads.
_BLESSED, _FILES = 'blessed', {True: 'INFRA_BLESSED', False: 'INFRA_NOT_BLESSED'}


class Executor(NodeExecutor):
    """Checks one exported model."""

    def run(self, inputs: Artifacts, outputs: Artifacts, properties: Properties) -> None:
        """Leaves `serving.json` and what the files of the model are, and blesses.

        Raises:
            ConfigError: the model has changed since it was exported.
            DataError: no val image was evaluated, or the predictions cannot be used.
        """
        model = pathlib.Path(path_utils.serving_model_path(inputs['model'].uri))
        what = f'the model that the {node_names.EXPORTER} made'
        judged_files.check(model, inputs['exports'], what, node_names.EXPORTER)
        judged_files.record(model, outputs['serving_record'])
        result = ServingCheckRecord(
            checked=False, passed=False, problems=('the model was not blessed',)
        )
        if model_utils.is_model_blessed(inputs['blessing']):
            limits = ServingCheckSettings.model_validate_json(properties['check'])
            files = split_files.files(inputs['examples'])[VAL]
            replay = probe_process.replay(
                files, predictions.read(inputs['evaluation'].uri), limits.images
            )
            if not replay.serialized:
                raise DataError('there is no evaluated val image to ask the exported model about')
            result = probe_process.check(model, replay, limits)
        record_artifact = outputs['serving_record']
        result.write(record_artifact.uri)
        _note(record_artifact, result)
        _bless(outputs['infra_blessing'], result.passed)


def _note(artifact: Artifact, result: ServingCheckRecord) -> None:
    artifact.set_int_custom_property(property_names.CHECKED, int(result.checked))
    if 'serving_bytes' in result.latency:
        artifact.set_float_custom_property(
            property_names.LATENCY_MS, result.latency['serving_bytes'].p50
        )
    if result.memory_mb is not None:
        artifact.set_float_custom_property(property_names.MEMORY_MB, result.memory_mb)
    if result.cold_start is not None:
        artifact.set_float_custom_property(property_names.COLD_START, result.cold_start)
    if result.problems:
        artifact.set_string_custom_property(property_names.PROBLEMS, '; '.join(result.problems))


def _bless(blessing: Artifact, passed: bool) -> None:
    blessing.set_int_custom_property(_BLESSED, int(passed))
    io_utils.write_string_file(os.path.join(blessing.uri, _FILES[passed]), '')
