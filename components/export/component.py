"""Exporter: the model as it is pushed, with formats beside it by choice."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from thawline.components.export import artifacts, executor, libraries, params


class ExporterSpec(component_spec.ComponentSpec):
    """Contract of the Exporter."""

    INPUTS = {
        'model': component_spec.ChannelParameter(type=standard_artifacts.Model),
        'model_run': component_spec.ChannelParameter(type=standard_artifacts.ModelRun),
        'examples': component_spec.ChannelParameter(type=standard_artifacts.Examples),
        'transformed_examples': component_spec.ChannelParameter(type=standard_artifacts.Examples),
        'evaluation': component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
        'blessing': component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
    }
    OUTPUTS = {
        'exported_model': component_spec.ChannelParameter(type=standard_artifacts.Model),
        'exports': component_spec.ChannelParameter(type=artifacts.Exports),
    }
    PARAMETERS = {
        'settings': component_spec.ExecutionParameter(type=str),
        'code_digest': component_spec.ExecutionParameter(type=str),
    }


class Exporter(base_component.BaseComponent):
    """Copies the model, describes it, and makes other formats of a blessed one.

    Outputs:
        exported_model: `standard_artifacts.Model`, complete in itself: the SavedModel with
            `assets.extra/thawline.json`, `tf_serving_warmup_requests` and `exports/<kind>/`.
        exports: `artifacts.Exports`, what was made and what was refused.
    """

    SPEC_CLASS = ExporterSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        model: types.BaseChannel,
        model_run: types.BaseChannel,
        examples: types.BaseChannel,
        transformed_examples: types.BaseChannel,
        evaluation: types.BaseChannel,
        blessing: types.BaseChannel,
        settings: params.Exports,
        code_digest: str,
    ) -> None:
        """Checks that the formats can be made here.

        Args:
            model: of the Trainer.
            model_run: its record, for the base.
            examples: as ingested, for their origin.
            transformed_examples: pixels to calibrate on (train) and to compare on (val).
            evaluation: of the model, with its answers.
            blessing: an unblessed model is copied without other formats.
            settings: which formats, and what they may lose.
            code_digest: of the code that runs.

        Raises:
            ConfigError: a format needs a library that is not installed.
        """
        libraries.check(settings.exports)
        super().__init__(
            ExporterSpec(
                model=model,
                model_run=model_run,
                examples=examples,
                transformed_examples=transformed_examples,
                evaluation=evaluation,
                blessing=blessing,
                settings=settings.model_dump_json(),
                code_digest=code_digest,
                exported_model=types.Channel(type=standard_artifacts.Model),
                exports=types.Channel(type=artifacts.Exports),
            )
        )
