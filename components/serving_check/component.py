"""ServingCheck: can the exported model be served, and does it answer as it was evaluated."""

from __future__ import annotations

from tfx.types import standard_artifacts

from thawline.components.serving_check import executor
from thawline.components.serving_check.params import ServingCheckSettings
from thawline.components.shared.artifacts import Exports, ServingRecord
from thawline.components.shared.component import Component


class ServingCheck(Component):
    """Asks the exported model in a process of its own; its blessing is a condition for pushing.

    The questions are the val images of `examples`, as ingested, and some that nobody should ask; an
    unblessed model is not asked. TFX's InfraValidator needs Docker or Kubernetes.
    """

    EXECUTOR = executor.Executor
    CODE = ('thawline.components.serving_check.probe',)
    INPUTS = {
        'model': standard_artifacts.Model,
        'exports': Exports,  # for what the Exporter left in the model's folder
        'examples': standard_artifacts.Examples,
        'evaluation': standard_artifacts.ModelEvaluation,
        'blessing': standard_artifacts.ModelBlessing,
    }
    OUTPUTS = {'infra_blessing': standard_artifacts.InfraBlessing, 'serving_record': ServingRecord}
    PARAMETERS = {'check': ServingCheckSettings}
