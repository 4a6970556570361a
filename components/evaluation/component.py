"""The Evaluator: inputs, outputs and blessing of TFX's own, over predictions that are kept."""

from __future__ import annotations

from tfx.types import standard_artifacts

from thawline.components.embedding.artifacts import Embeddings
from thawline.components.evaluation import executor
from thawline.components.evaluation.gate.params import Gate
from thawline.components.evaluation.params import Evaluation
from thawline.components.shared import node_names
from thawline.components.shared.component import Component


class GateEvaluator(Component):
    """Evaluates a candidate on val and test with TFMA and blesses it if the gate lets it pass.

    TFX's Evaluator keeps no predictions, and takes an EvalConfig that is complete before anything
    is known of the columns and classes of the images.

    Outputs:
        evaluation: TFMA's results, `predictions/` and `verdict.json`.
        blessing: as TFX's Evaluator gives it.
    """

    NAME = node_names.EVALUATOR
    EXECUTOR = executor.Executor
    INPUTS = {
        'examples': standard_artifacts.Examples,  # as ingested
        'statistics': standard_artifacts.ExampleStatistics,
        'model': standard_artifacts.Model,
    }
    OPTIONAL_INPUTS = {
        'model_run': standard_artifacts.ModelRun,  # with the answers that were held out
        'embeddings': Embeddings,  # a model whose base is frozen is run on them
        'baseline_model': standard_artifacts.Model,  # none without an earlier blessed model
        'baseline_evaluation': standard_artifacts.ModelEvaluation,  # with the digests of its files
        # All that each model learned from, as ingested: its own, and those of its tuning.
        'seen_examples': standard_artifacts.Examples,
        'baseline_seen_examples': standard_artifacts.Examples,
    }
    OUTPUTS = {
        'evaluation': standard_artifacts.ModelEvaluation,
        'blessing': standard_artifacts.ModelBlessing,
    }
    PARAMETERS = {'gate': Gate, 'slicing': Evaluation}
