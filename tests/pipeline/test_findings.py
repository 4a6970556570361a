"""What a refusal by the gate says at the end of a run."""

from __future__ import annotations

import io
import pathlib
from collections.abc import Mapping
from typing import Any

import rich.console

from components.evaluation import verdict
from components.evaluation.counts import Count, Numbers
from components.evaluation.params import Gate
from pipeline import findings, run
from pipeline.metadata import NodeResult, Output


def evaluator(folder: pathlib.Path, numbers: Numbers, gate: Gate) -> NodeResult:
    found = verdict.judge(numbers, gate)
    (folder / verdict.FILE).write_text(verdict.to_json(found), 'utf-8')
    outputs = {
        'evaluation': Output(1, str(folder), {}),
        'blessing': Output(2, '', {'blessed': int(found.blessed)}),
    }
    return NodeResult('Evaluator', 'complete', outputs, 1.0)


def pusher(properties: Mapping[str, Any]) -> NodeResult:
    return NodeResult('Pusher', 'complete', {'pushed_model': Output(3, '', properties)}, 1.0)


def test_every_failing_rule_is_told_with_what_would_change_it(tmp_path: pathlib.Path) -> None:
    # Square brackets are markup to rich, which must not swallow them.
    classes = {'[bold]cat': Count(1, 100), 'dog': Count(99, 100)}
    node = evaluator(
        tmp_path, Numbers(Count(100, 200), Count(90, 200), classes), Gate(worst_class_recall=0.5)
    )
    lines = findings.refusal_lines(node)
    assert len(lines) == 2
    assert lines[0].startswith('The lower bound of val accuracy, 0.429, is below 0.800')
    assert lines[0].endswith('more images at this accuracy would not change it.')
    assert lines[1].endswith('50 right instead of 1 would do.')

    shown = io.StringIO()
    outcome = run._summary(rich.console.Console(file=shown), [node, pusher({'pushed': 0})])
    assert outcome is run.Outcome.NOT_BLESSED
    assert shown.getvalue().startswith('NOT BLESSED, nothing was pushed\n')
    for line in lines:
        assert line in shown.getvalue()
    assert "'[bold]cat'" in shown.getvalue()


def test_blessed_model_has_no_refusal(tmp_path: pathlib.Path) -> None:
    node = evaluator(tmp_path, Numbers(Count(190, 200), Count(190, 200), {}), Gate())
    assert findings.refusal_lines(node) == []
    pushed = pusher({'pushed': 1, 'pushed_destination': '/models/1'})
    shown = io.StringIO()
    assert run._summary(rich.console.Console(file=shown), [node, pushed]) is run.Outcome.BLESSED
    assert '/models/1' in shown.getvalue()
