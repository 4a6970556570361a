"""The Evaluator: inputs, outputs and blessing of TFX's own, over predictions that are kept."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from thawline.components.embedding.artifacts import Embeddings
from thawline.components.evaluation import executor
from thawline.components.evaluation.params import Gate
from thawline.components.evaluation.slices import Evaluation


class GateEvaluatorSpec(component_spec.ComponentSpec):
    """Contract of the Evaluator; without an earlier blessed model there is no baseline."""

    INPUTS = {
        'examples': component_spec.ChannelParameter(type=standard_artifacts.Examples),
        'statistics': component_spec.ChannelParameter(type=standard_artifacts.ExampleStatistics),
        'model': component_spec.ChannelParameter(type=standard_artifacts.Model),
        'embeddings': component_spec.ChannelParameter(type=Embeddings, optional=True),
        'baseline_model': component_spec.ChannelParameter(
            type=standard_artifacts.Model, optional=True
        ),
    }
    OUTPUTS = {
        'evaluation': component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
        'blessing': component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
    }
    PARAMETERS = {
        'gate': component_spec.ExecutionParameter(type=str),
        'slicing': component_spec.ExecutionParameter(type=str),
        'code_digest': component_spec.ExecutionParameter(type=str),
    }


class GateEvaluator(base_beam_component.BaseBeamComponent):
    """Evaluates a candidate with TFMA and blesses it if the gate lets it pass.

    TFX's Evaluator keeps no predictions, and takes an EvalConfig that is complete before anything
    is known of the columns and classes of the images.

    Outputs:
        evaluation: `standard_artifacts.ModelEvaluation`: TFMA's results, `predictions/` and
            `verdict.json`.
        blessing: `standard_artifacts.ModelBlessing`, as TFX's Evaluator gives it.
    """

    SPEC_CLASS = GateEvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        statistics: types.BaseChannel,
        model: types.BaseChannel,
        embeddings: types.BaseChannel,
        baseline_model: types.BaseChannel,
        gate: Gate,
        slicing: Evaluation,
        code_digest: str,
    ) -> None:
        """The evaluated splits are val and test.

        Args:
            examples: as ingested.
            statistics: of the examples.
            model: the candidate.
            embeddings: of the same images; a model whose base is frozen is run on them.
            baseline_model: what it is compared with, if there is one.
            gate: what it must reach.
            slicing: which groups of images are looked at.
            code_digest: of the code that runs.
        """
        super().__init__(
            GateEvaluatorSpec(
                examples=examples,
                statistics=statistics,
                model=model,
                embeddings=embeddings,
                baseline_model=baseline_model,
                gate=gate.model_dump_json(),
                slicing=slicing.model_dump_json(),
                code_digest=code_digest,
                evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            )
        )
