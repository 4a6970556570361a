"""ServingCheck: can the exported model be served, and does it answer as it was evaluated."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from thawline.components.serving_check import executor
from thawline.components.serving_check.artifacts import ServingRecord
from thawline.components.serving_check.params import Check


class ServingCheckSpec(component_spec.ComponentSpec):
    """Contract of the serving check."""

    INPUTS = {
        'model': component_spec.ChannelParameter(type=standard_artifacts.Model),
        'examples': component_spec.ChannelParameter(type=standard_artifacts.Examples),
        'evaluation': component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
        'blessing': component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
    }
    OUTPUTS = {
        'infra_blessing': component_spec.ChannelParameter(type=standard_artifacts.InfraBlessing),
        'serving_record': component_spec.ChannelParameter(type=ServingRecord),
    }
    PARAMETERS = {
        'check': component_spec.ExecutionParameter(type=str),
        'code_digest': component_spec.ExecutionParameter(type=str),
    }


class ServingCheck(base_component.BaseComponent):
    """Asks the exported model in a process of its own; its blessing is a condition for pushing.

    TFX's InfraValidator needs Docker or Kubernetes.

    Outputs:
        infra_blessing: `standard_artifacts.InfraBlessing`, as Pusher reads it.
        serving_record: `ServingRecord`.
    """

    SPEC_CLASS = ServingCheckSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        model: types.BaseChannel,
        examples: types.BaseChannel,
        evaluation: types.BaseChannel,
        blessing: types.BaseChannel,
        check: Check,
        code_digest: str,
    ) -> None:
        """The questions are the val images of `examples`, and some that nobody should ask.

        Args:
            model: of the Exporter.
            examples: as ingested.
            evaluation: with the answers that are expected.
            blessing: an unblessed model is not asked.
            check: how much is asked, and the limits.
            code_digest: of the code that runs.
        """
        super().__init__(
            ServingCheckSpec(
                model=model,
                examples=examples,
                evaluation=evaluation,
                blessing=blessing,
                check=check.model_dump_json(),
                code_digest=code_digest,
                infra_blessing=types.Channel(type=standard_artifacts.InfraBlessing),
                serving_record=types.Channel(type=ServingRecord),
            )
        )
