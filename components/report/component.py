"""Report: one page on every candidate, blessed or not."""

from __future__ import annotations

from tfx.types import standard_artifacts

from thawline.components.data_audit.artifacts import DataAudit
from thawline.components.data_gate.artifacts import DataVerdict
from thawline.components.embedding.artifacts import Embeddings
from thawline.components.ingestion.artifacts import Quarantine
from thawline.components.report import executor
from thawline.components.report.artifacts import Report
from thawline.components.shared import node_names
from thawline.components.shared.artifacts import Exports, ServingRecord
from thawline.components.shared.component import Component


class ReportGen(Component):
    """Reports on a candidate as a page; its pictures are those of `examples`, as ingested."""

    NAME = node_names.REPORT
    EXECUTOR = executor.Executor
    INPUTS = {
        'examples': standard_artifacts.Examples,
        'quarantine': Quarantine,
        'statistics': standard_artifacts.ExampleStatistics,
        'data_verdict': DataVerdict,
        'data_audit': DataAudit,
        'embeddings': Embeddings,
        'model': standard_artifacts.Model,
        'model_run': standard_artifacts.ModelRun,
        'evaluation': standard_artifacts.ModelEvaluation,
    }
    OPTIONAL_INPUTS = {
        'exports': Exports,
        'serving_record': ServingRecord,
        'previous': Report,  # to compare with, where there is one
    }
    OUTPUTS = {'report': Report}
    PARAMETERS = {'config': str}  # the whole configuration of the project, as JSON
