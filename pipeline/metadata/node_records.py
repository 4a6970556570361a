"""Reads the records that nodes write into their artifacts."""

from __future__ import annotations

import json
import pathlib

from thawline.components.serving_check import record as serving_record_lib
from thawline.components.serving_check.record import ServingCheckRecord
from thawline.pipeline.metadata.runs import NodeResult


def refusal_lines(result: NodeResult) -> list[str]:
    """The rules that the model failed, with the change each needs."""
    from thawline.components.evaluation.gate import verdict  # with SciPy, which few commands need

    path = pathlib.Path(result.outputs['evaluation'].uri, verdict.FILE)
    failed = [
        rule for rule in verdict.from_json(path.read_text('utf-8')).rules if rule.holds is False
    ]
    return [' '.join(filter(None, (rule.sentence, rule.change))) for rule in failed]


def training_record(result: NodeResult) -> dict:
    """The Trainer's record of a run."""
    path = pathlib.Path(result.outputs['model_run'].uri, 'training.json')
    return json.loads(path.read_text('utf-8'))


def tuning_record(result: NodeResult) -> dict:
    """The Tuner's record of a search; see `components.tuning.record`."""
    path = pathlib.Path(result.outputs['tuner_results'].uri, 'tuning.json')
    return json.loads(path.read_text('utf-8'))


def serving_record(result: NodeResult) -> ServingCheckRecord:
    """The record of the serving check."""
    return serving_record_lib.read(pathlib.Path(result.outputs['serving_record'].uri))
