"""Reads the records that nodes write into their artifacts."""

from __future__ import annotations

import pathlib

from thawline.components.evaluation.gate import record as verdict_record
from thawline.components.evaluation.gate.record import Verdict
from thawline.components.ingestion import summary
from thawline.components.ingestion.summary import IngestionSummary
from thawline.components.serving_check import record as serving_record_lib
from thawline.components.serving_check.record import ServingCheckRecord
from thawline.components.training import record as training_record_lib
from thawline.components.training.record import TrainingRecord
from thawline.components.tuning import record as tuning_record_lib
from thawline.components.tuning.record import TuningRecord
from thawline.pipeline.metadata.runs import NodeResult


def refusal_lines(result: NodeResult) -> list[str]:
    """The rules that the model failed, with the change each needs."""
    failed = [rule for rule in verdict(result).rules if rule.holds is False]
    return [' '.join(filter(None, (rule.sentence, rule.change))) for rule in failed]


def verdict(result: NodeResult) -> Verdict:
    """The gate's verdict, of the Evaluator."""
    return verdict_record.read(pathlib.Path(result.outputs['evaluation'].uri))


def ingestion_summary(result: NodeResult) -> IngestionSummary:
    """The numbers of an ingestion."""
    quarantine = result.outputs['quarantine']
    return summary.of_properties(quarantine.properties, quarantine.uri)


def training_record(result: NodeResult) -> TrainingRecord:
    """The Trainer's record of a run."""
    return training_record_lib.read(pathlib.Path(result.outputs['model_run'].uri))


def tuning_record(result: NodeResult) -> TuningRecord:
    """The Tuner's record of a search."""
    return tuning_record_lib.read(pathlib.Path(result.outputs['tuner_results'].uri))


def serving_record(result: NodeResult) -> ServingCheckRecord:
    """The record of the serving check."""
    return serving_record_lib.read(pathlib.Path(result.outputs['serving_record'].uri))
