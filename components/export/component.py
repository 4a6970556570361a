"""Exporter: the model as it is pushed, with formats beside it by choice."""

from __future__ import annotations

from tfx.types import BaseChannel, standard_artifacts

from thawline.components.export import executor, format_libraries, params
from thawline.components.shared.artifacts import Exports
from thawline.components.shared.component import Component


class Exporter(Component):
    """Copies the model, describes it, and makes other formats of a blessed one.

    Outputs:
        exported_model: complete in itself: the SavedModel with `assets.extra/thawline.json`,
            `tf_serving_warmup_requests` and `exports/<kind>/`.
        exports: what was made and what was refused.
    """

    EXECUTOR = executor.Executor
    INPUTS = {
        'model': standard_artifacts.Model,
        'model_run': standard_artifacts.ModelRun,  # for the base
        'examples': standard_artifacts.Examples,  # as ingested, for their origin
        'transformed_examples': standard_artifacts.Examples,  # to calibrate on, and to compare
        'evaluation': standard_artifacts.ModelEvaluation,
        'blessing': standard_artifacts.ModelBlessing,
    }
    OUTPUTS = {'exported_model': standard_artifacts.Model, 'exports': Exports}
    PARAMETERS = {'settings': params.ExportSettings}

    def __init__(self, *, settings: params.ExportSettings, **inputs: BaseChannel) -> None:
        """Checks that the formats can be made here.

        Raises:
            ConfigError: a format needs a library that is not installed.
        """
        format_libraries.check(settings.exports)
        super().__init__(settings=settings, **inputs)
