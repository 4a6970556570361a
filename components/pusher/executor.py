"""The work of the Pusher, with the artifacts and properties of TFX's."""

from __future__ import annotations

import pathlib
from typing import Any

from tfx.components.util import model_utils
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact
from tfx.utils import path_utils

from thawline.components.export import hard_links
from thawline.components.pusher import recorded_versions, staging
from thawline.components.shared import progress, property_names


class Executor(base_executor.BaseExecutor):
    """Pushes one model."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Leaves a version in staging, unless it is there or the model is not to be pushed.

        The runner holds the lock of the folder.

        Args:
            input_dict: `model`, `model_blessing`, `infra_blessing`.
            output_dict: `pushed_model`.
            exec_properties: `staging`, the folder; the others are for the cache key alone.

        Raises:
            UserError: the model cannot be copied.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        progress.start('pushing')
        folder = pathlib.Path(exec_properties['staging'])
        staging.sweep(folder)
        artifacts_by_name = {
            name: artifact_utils.get_single_instance(artifacts)
            for name, artifacts in input_dict.items()
        }
        pushed = artifact_utils.get_single_instance(output_dict['pushed_model'])
        if not (
            model_utils.is_model_blessed(artifacts_by_name['model_blessing'])
            and model_utils.is_infra_validated(artifacts_by_name['infra_blessing'])
        ):
            pushed.set_int_custom_property(property_names.PUSHED, 0)
            return
        model = pathlib.Path(path_utils.serving_model_path(artifacts_by_name['model'].uri))
        push = staging.push(model, folder, above=recorded_versions.highest(folder))
        archive = pathlib.Path(pushed.uri)
        archive.rmdir()  # the launcher made it
        hard_links.copy(model, archive)
        pushed.set_int_custom_property(property_names.PUSHED, 1)
        pushed.set_int_custom_property(property_names.ALREADY_THERE, int(push.already_there))
        pushed.set_string_custom_property(property_names.PUSHED_VERSION, str(push.version))
        pushed.set_string_custom_property(
            property_names.PUSHED_DESTINATION, str(folder / str(push.version))
        )
