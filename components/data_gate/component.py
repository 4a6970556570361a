"""DataGate: ends a run whose data are not fit to train on, and says why in one line."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import artifact, component_spec, standard_artifacts

from thawline.components.data_gate import executor
from thawline.components.ingestion.artifacts import Quarantine


class DataVerdict(artifact.Artifact):
    """What the gate found, as `verdict.json`: findings, class counts, quarantine counts."""

    TYPE_NAME = 'DataVerdict'


class DataGateSpec(component_spec.ComponentSpec):
    """Inputs, outputs and parameters."""

    PARAMETERS = {
        'policy': component_spec.ExecutionParameter(type=str),
        'code_digest': component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        'statistics': component_spec.ChannelParameter(type=standard_artifacts.ExampleStatistics),
        'anomalies': component_spec.ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        'quarantine': component_spec.ChannelParameter(type=Quarantine),
    }
    OUTPUTS = {'verdict': component_spec.ChannelParameter(type=DataVerdict)}


class DataGate(base_component.BaseComponent):
    """Stops the run on what the policy calls fatal; ExampleValidator by itself never does."""

    SPEC_CLASS = DataGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        statistics: types.BaseChannel,
        anomalies: types.BaseChannel,
        quarantine: types.BaseChannel,
        policy: str,
        code_digest: str,
    ) -> None:
        """`policy` is JSON of `components.data_gate.policy.DataGate`."""
        super().__init__(
            DataGateSpec(
                statistics=statistics,
                anomalies=anomalies,
                quarantine=quarantine,
                policy=policy,
                code_digest=code_digest,
                verdict=types.Channel(type=DataVerdict),
            )
        )
