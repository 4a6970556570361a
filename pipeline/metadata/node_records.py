"""Reads the records that nodes write into their artifacts."""

from __future__ import annotations

from thawline.components.evaluation.gate.record import LabelQueue, Verdict
from thawline.components.ingestion.summary import IngestionSummary
from thawline.components.serving_check.record import ServingCheckRecord
from thawline.pipeline.metadata.runs import NodeResult


def refusal_lines(result: NodeResult) -> list[str]:
    """The rules that the model failed, with the change each needs."""
    failed = [rule for rule in verdict(result).rules if rule.holds is False]
    return [' '.join(filter(None, (rule.sentence, rule.change))) for rule in failed]


def label_queue(result: NodeResult) -> LabelQueue | None:
    """What to label after a refusal, of the first failed rule that labels would decide."""
    failed = (rule for rule in verdict(result).rules if rule.holds is False)
    return next((rule.queue for rule in failed if rule.queue), None)


def verdict(result: NodeResult) -> Verdict:
    """The gate's verdict, of the Evaluator."""
    return Verdict.read(result.outputs['evaluation'].uri)


def ingestion_summary(result: NodeResult) -> IngestionSummary:
    """The numbers of an ingestion; the metadata alone suffices."""
    quarantine = result.outputs['quarantine']
    return IngestionSummary.of_properties(quarantine.properties, quarantine.uri)


def serving_record(result: NodeResult) -> ServingCheckRecord:
    """The record of the serving check."""
    return ServingCheckRecord.read(result.outputs['serving_record'].uri)
