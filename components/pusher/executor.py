"""The work of the Pusher, with the artifacts and properties of TFX's."""

from __future__ import annotations

import pathlib

from tfx.components.util import model_utils
from tfx.utils import path_utils

from thawline.components.export import hard_links
from thawline.components.pusher import recorded_versions, staging
from thawline.components.shared import judged_files, node_names, progress, property_names
from thawline.components.shared.executor import Artifacts, NodeExecutor, Properties


class Executor(NodeExecutor):
    """Pushes one model."""

    def run(self, inputs: Artifacts, outputs: Artifacts, properties: Properties) -> None:
        """Leaves a version in staging, unless it is there or the model is not to be pushed.

        The runner holds the lock of the folder.

        Raises:
            ConfigError: the model has changed since it was checked.
            UserError: it cannot be copied.
        """
        progress.start('pushing')
        folder = pathlib.Path(properties['staging'])
        staging.sweep(folder)
        pushed = outputs['pushed_model']
        if not (
            model_utils.is_model_blessed(inputs['model_blessing'])
            and model_utils.is_infra_validated(inputs['infra_blessing'])
        ):
            pushed.set_int_custom_property(property_names.PUSHED, 0)
            return
        model = pathlib.Path(path_utils.serving_model_path(inputs['model'].uri))
        checked, what = inputs['serving_record'], 'the model that the serving check asked'
        judged_files.check(model, checked, what, node_names.EXPORTER)
        push = staging.push(model, folder, above=recorded_versions.highest(folder))
        archive = pathlib.Path(pushed.uri)
        archive.rmdir()  # the launcher made it
        hard_links.copy(model, archive)
        pushed.set_int_custom_property(property_names.PUSHED, 1)
        pushed.set_int_custom_property(property_names.ALREADY_THERE, int(push.already_there))
        pushed.set_string_custom_property(
            property_names.MODEL_DIGEST,
            checked.get_string_custom_property(property_names.MODEL_DIGEST),
        )
        pushed.set_string_custom_property(property_names.PUSHED_VERSION, str(push.version))
        pushed.set_string_custom_property(
            property_names.PUSHED_DESTINATION, str(folder / str(push.version))
        )
