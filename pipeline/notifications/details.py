"""The facts about how a run ended, as the body of a notification."""

from __future__ import annotations

import dataclasses
import logging
import math
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeVar

from thawline.components.shared import node_names, property_names
from thawline.components.shared.errors import UserError
from thawline.pipeline.config.notifications import Event
from thawline.pipeline.metadata import node_records
from thawline.pipeline.metadata.runs import NodeResult
from thawline.pipeline.notifications import messages
from thawline.pipeline.notifications.body import (
    VERSION,
    Details,
    Failure,
    PushedModel,
    RunAccuracy,
    RunData,
    RunVerdict,
)

if TYPE_CHECKING:
    from thawline.pipeline.terminal.exit_codes import Outcome

_LONGEST_ERROR = 2000  # characters: bodies should stay below 20 kB
_LONGEST_LINE, _MOST_REFUSALS = 500, 20
_EVENTS: Mapping[str, Event] = {
    'NOT_BLESSED': 'refused',
    'STOPPED_BY_DATA': 'stopped_by_data',
    'BAD_CONFIGURATION': 'bad_configuration',
    'INTERRUPTED': 'interrupted',
}
_Value = TypeVar('_Value')


@dataclasses.dataclass(frozen=True)
class Ending:
    """How a run ended; `results` are of the nodes that succeeded, in any process."""

    run: str
    outcome: Outcome
    seconds: float
    results: Sequence[NodeResult] = ()
    message: str | None = None  # the error, where the run did not finish
    node: str | None = None  # the one that failed
    log: pathlib.Path | None = None

    @property
    def event(self) -> Event:
        if self.outcome.name == 'BLESSED':
            return 'blessed' if _pushed(_by_node(self.results)) else 'finished'
        return _EVENTS.get(self.outcome.name, 'failed')


def of_ending(ending: Ending, project: str, threshold: float) -> Details:
    """All facts that can be read: a file that is gone, for example, costs only its own."""
    nodes = _by_node(ending.results)
    details = Details(
        version=VERSION,
        event=ending.event,
        project=project,
        run=ending.run,
        exit_code=int(ending.outcome),
        seconds=round(ending.seconds, 3),
        text='',
        verdict=_readable(lambda: _verdict(nodes, threshold)),
        model=_readable(lambda: _model(nodes)),
        data=_readable(lambda: _data(nodes)),
        error=_failure(ending),
        report=_readable(lambda: _report(nodes)),
        log=None if ending.log is None else str(ending.log),
    )
    return details.model_copy(update={'text': '\n'.join(messages.lines(details))})


def _failure(ending: Ending) -> Failure | None:
    if ending.message is None:
        return None
    return Failure(message=_short(ending.message, _LONGEST_ERROR), node=ending.node)


def _by_node(results: Sequence[NodeResult]) -> dict[str, NodeResult]:
    return {result.node: result for result in results}


def _readable(read: Callable[[], _Value]) -> _Value | None:
    try:
        return read()
    except (OSError, ValueError, LookupError, TypeError, UserError):
        logging.exception('a part of the notification cannot be read')
        return None


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + '…'


def _pushed(nodes: Mapping[str, NodeResult]) -> bool:
    pusher = nodes.get(node_names.PUSHER)
    return pusher is not None and pusher.outputs['pushed_model'].pushed


def _verdict(nodes: Mapping[str, NodeResult], threshold: float) -> RunVerdict | None:
    if node_names.EVALUATOR not in nodes:
        return None
    evaluator = nodes[node_names.EVALUATOR]
    decision = node_records.verdict(evaluator)
    refusals = node_records.refusal_lines(evaluator)
    refused_by: Literal['gate', 'serving_check'] | None = None
    if not decision.blessed:
        refused_by = 'gate'
    elif node_names.SERVING_CHECK in nodes:
        record = node_records.serving_record(nodes[node_names.SERVING_CHECK])
        if not record.passed:
            refusals, refused_by = list(record.problems), 'serving_check'
    rules = {rule.name: rule.sentence for rule in decision.rules}
    return RunVerdict(
        blessed=decision.blessed,
        pushed=_pushed(nodes),
        refused_by=refused_by,
        headline=_short(decision.headline, _LONGEST_LINE),
        threshold=threshold,
        val=_accuracy(evaluator, 'val'),
        test=_accuracy(evaluator, 'test'),
        baseline=rules.get('paired_test'),
        refusals=tuple(_short(line, _LONGEST_LINE) for line in refusals[:_MOST_REFUSALS]),
    )


def _accuracy(evaluator: NodeResult, split: str) -> RunAccuracy | None:
    evaluation = evaluator.outputs['evaluation']
    interval = evaluation.accuracy(split)
    if interval is None or not all(map(math.isfinite, interval)):
        return None  # JSON has no such numbers
    return RunAccuracy(
        accuracy=interval.share,
        lower=interval.lower,
        upper=interval.upper,
        judged=evaluation.properties.get(property_names.images(split)),
    )


def _model(nodes: Mapping[str, NodeResult]) -> PushedModel | None:
    if not _pushed(nodes):
        return None
    pushed = nodes[node_names.PUSHER].outputs['pushed_model']
    return PushedModel(
        path=str(pushed.properties[property_names.PUSHED_DESTINATION]),
        version=str(pushed.properties[property_names.PUSHED_VERSION]),
        already_there=pushed.already_there,
    )


def _data(nodes: Mapping[str, NodeResult]) -> RunData | None:
    if node_names.IMAGE_EXAMPLE_GEN not in nodes:
        return None
    summary = node_records.ingestion_summary(nodes[node_names.IMAGE_EXAMPLE_GEN])
    return RunData(
        images=summary.written,
        quarantined=summary.quarantined,
        classes=summary.classes,
        splits={name: sum(labels.values()) for name, labels in summary.splits.items()},
        folds=summary.folds,
    )


def _report(nodes: Mapping[str, NodeResult]) -> str | None:
    report = nodes.get(node_names.REPORT)
    return f'{report.outputs["report"].uri}/report.html' if report else None
