"""DataGate: stops a run whose data are unfit for training, with the reasons in one line."""

from __future__ import annotations

from tfx.types import standard_artifacts

from thawline.components.data_gate import executor
from thawline.components.data_gate.artifacts import DataVerdict
from thawline.components.data_gate.params import DataPolicy
from thawline.components.ingestion.artifacts import Quarantine
from thawline.components.shared.component import Component


class DataGate(Component):
    """Stops the run on fatal findings; ExampleValidator by itself never does."""

    EXECUTOR = executor.Executor
    INPUTS = {
        'statistics': standard_artifacts.ExampleStatistics,
        'schema': standard_artifacts.Schema,
        'anomalies': standard_artifacts.ExampleAnomalies,
        'quarantine': Quarantine,
    }
    OUTPUTS = {'verdict': DataVerdict}
    PARAMETERS = {'policy': DataPolicy}
