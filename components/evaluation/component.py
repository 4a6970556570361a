"""TFX's Evaluator, which also notes in the metadata what it found."""

from __future__ import annotations

from tfx.components import Evaluator
from tfx.dsl.components.base import executor_spec

from components.evaluation import executor


class GateEvaluator(Evaluator):
    """TFX's Evaluator in everything but one: accuracies become properties of its artifact."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)
