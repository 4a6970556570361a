"""Report: one page on every candidate, blessed or not."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from thawline.components.data_gate.component import DataVerdict
from thawline.components.embedding.artifacts import Embeddings
from thawline.components.export.artifacts import Exports
from thawline.components.ingestion.artifacts import Quarantine
from thawline.components.report import executor
from thawline.components.report.artifacts import Report
from thawline.components.serving_check.artifacts import ServingRecord


class ReportSpec(component_spec.ComponentSpec):
    """Contract of the Report; without an earlier one there is none to compare with."""

    INPUTS = {
        'examples': component_spec.ChannelParameter(type=standard_artifacts.Examples),
        'quarantine': component_spec.ChannelParameter(type=Quarantine),
        'statistics': component_spec.ChannelParameter(type=standard_artifacts.ExampleStatistics),
        'data_verdict': component_spec.ChannelParameter(type=DataVerdict),
        'embeddings': component_spec.ChannelParameter(type=Embeddings),
        'model': component_spec.ChannelParameter(type=standard_artifacts.Model),
        'model_run': component_spec.ChannelParameter(type=standard_artifacts.ModelRun),
        'evaluation': component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
        'exports': component_spec.ChannelParameter(type=Exports, optional=True),
        'serving_record': component_spec.ChannelParameter(type=ServingRecord, optional=True),
        'previous': component_spec.ChannelParameter(type=Report, optional=True),
    }
    OUTPUTS = {'report': component_spec.ChannelParameter(type=Report)}
    PARAMETERS = {
        'config': component_spec.ExecutionParameter(type=str),
        'code_digest': component_spec.ExecutionParameter(type=str),
    }


class ReportGen(base_component.BaseComponent):
    """Gathers what is known of a candidate and writes it as a page.

    Outputs:
        report: `Report`.
    """

    SPEC_CLASS = ReportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        quarantine: types.BaseChannel,
        statistics: types.BaseChannel,
        data_verdict: types.BaseChannel,
        embeddings: types.BaseChannel,
        model: types.BaseChannel,
        model_run: types.BaseChannel,
        evaluation: types.BaseChannel,
        exports: types.BaseChannel,
        serving_record: types.BaseChannel,
        previous: types.BaseChannel,
        config: str,
        code_digest: str,
    ) -> None:
        """The pictures are those of `examples`; all other inputs are told about.

        Args:
            examples: as ingested.
            quarantine: what was refused.
            statistics: of the examples.
            data_verdict: of the data gate.
            embeddings: of the transformed examples.
            model: the candidate.
            model_run: its training's record.
            evaluation: of the candidate, with its verdict and predictions.
            exports: what was exported of it.
            serving_record: what the serving check found.
            previous: the last report, or none.
            config: the project's whole configuration, as JSON.
            code_digest: of the code that runs.
        """
        super().__init__(
            ReportSpec(
                examples=examples,
                quarantine=quarantine,
                statistics=statistics,
                data_verdict=data_verdict,
                embeddings=embeddings,
                model=model,
                model_run=model_run,
                evaluation=evaluation,
                exports=exports,
                serving_record=serving_record,
                previous=previous,
                config=config,
                code_digest=code_digest,
                report=types.Channel(type=Report),
            )
        )
