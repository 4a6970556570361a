"""What is known of the ending of a run, as the body of a notification."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeVar

from thawline.pipeline.config.notifications import Event
from thawline.pipeline.metadata import node_records
from thawline.pipeline.metadata.runs import NodeResult
from thawline.pipeline.notifications import messages
from thawline.pipeline.notifications.body import (
    VERSION,
    Accuracy,
    Data,
    Details,
    Failure,
    Model,
    Verdict,
)

if TYPE_CHECKING:
    from thawline.pipeline.terminal.exit_codes import Outcome

_MESSAGE = 2000  # characters of an error: bodies are meant to stay below 20 kB
_LINE, _LINES = 500, 20  # of what speaks against a model
_EVENTS: Mapping[str, Event] = {
    'NOT_BLESSED': 'refused',
    'STOPPED_BY_DATA': 'stopped_by_data',
    'BAD_CONFIGURATION': 'bad_configuration',
    'INTERRUPTED': 'interrupted',
}
_Found = TypeVar('_Found')


@dataclasses.dataclass(frozen=True)
class Ending:
    """How a run ended.

    Attributes:
        run: its id.
        outcome: the ending, whose value is the exit code.
        seconds: what the run took.
        results: the nodes of the run that ended well; those of other processes too.
        message: what the person at the prompt is told, where the run did not come to its end.
        node: in which node that was, where it was in one.
        log: the log's path.
    """

    run: str
    outcome: Outcome
    seconds: float
    results: Sequence[NodeResult] = ()
    message: str | None = None
    node: str | None = None
    log: pathlib.Path | None = None

    @property
    def event(self) -> Event:
        """What it is called in notifications."""
        if self.outcome.name == 'BLESSED':
            return 'blessed' if _pushed(_by_node(self.results)) else 'finished'
        return _EVENTS.get(self.outcome.name, 'failed')


def details(ending: Ending, project: str, threshold: float) -> Details:
    """All that can be told; what cannot be read, such as a file that is gone, is left out.

    Args:
        project: its name.
        threshold: `gate.val_accuracy`.
    """
    nodes = _by_node(ending.results)
    message = ending.message
    made = Details(
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
        error=None
        if message is None
        else Failure(message=_short(message, _MESSAGE), node=ending.node),
        report=_readable(lambda: _report(nodes)),
        log=None if ending.log is None else str(ending.log),
    )
    return made.model_copy(update={'text': '\n'.join(messages.lines(made))})


def _by_node(results: Sequence[NodeResult]) -> dict[str, NodeResult]:
    return {result.node: result for result in results}


def _readable(read: Callable[[], _Found]) -> _Found | None:
    try:
        return read()
    except (OSError, ValueError, LookupError, TypeError):
        logging.exception('a part of the notification cannot be told')
        return None


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + '…'


def _pushed(nodes: Mapping[str, NodeResult]) -> bool:
    return 'Pusher' in nodes and (
        nodes['Pusher'].outputs['pushed_model'].properties.get('pushed') == 1
    )


def _verdict(nodes: Mapping[str, NodeResult], threshold: float) -> Verdict | None:
    if 'Evaluator' not in nodes:
        return None
    from thawline.components.evaluation.gate import verdict  # with SciPy, which few commands need

    evaluator = nodes['Evaluator']
    folder = pathlib.Path(evaluator.outputs['evaluation'].uri)
    found = verdict.from_json((folder / verdict.FILE).read_text('utf-8'))
    refusals = node_records.refusal_lines(evaluator)
    refused_by: Literal['gate', 'serving_check'] | None = None
    if not found.blessed:
        refused_by = 'gate'
    elif 'ServingCheck' in nodes:
        record = node_records.serving_record(nodes['ServingCheck'])
        if not record.passed:
            refusals, refused_by = list(record.problems), 'serving_check'
    rules = {rule.name: rule.sentence for rule in found.rules}
    return Verdict(
        blessed=found.blessed,
        pushed=_pushed(nodes),
        refused_by=refused_by,
        headline=_short(found.headline, _LINE),
        threshold=threshold,
        val=_accuracy(evaluator, 'val'),
        test=_accuracy(evaluator, 'test'),
        baseline=rules.get('paired_test') or rules.get('max_drop'),
        refusals=tuple(_short(line, _LINE) for line in refusals[:_LINES]),
    )


def _accuracy(evaluator: NodeResult, split: str) -> Accuracy | None:
    noted = evaluator.outputs['evaluation'].properties
    if f'{split}_accuracy' not in noted:
        return None
    accuracy, lower, upper = (
        float(noted[f'{split}_{end}']) for end in ('accuracy', 'lower', 'upper')
    )
    if not all(map(math.isfinite, (accuracy, lower, upper))):
        return None  # JSON has no such numbers
    return Accuracy(accuracy=accuracy, lower=lower, upper=upper)


def _model(nodes: Mapping[str, NodeResult]) -> Model | None:
    if not _pushed(nodes):
        return None
    noted = nodes['Pusher'].outputs['pushed_model'].properties
    return Model(path=str(noted['pushed_destination']), version=str(noted['pushed_version']))


def _data(nodes: Mapping[str, NodeResult]) -> Data | None:
    if 'ImageExampleGen' not in nodes:
        return None
    noted = nodes['ImageExampleGen'].outputs['quarantine'].properties['summary']
    summary = json.loads(noted)
    splits: Mapping[str, Mapping[str, int]] = summary['splits']
    return Data(
        images=summary['written'],
        quarantined=summary['quarantined'],
        classes=len({label for of_split in splits.values() for label in of_split}),
        splits={name: sum(of_split.values()) for name, of_split in splits.items()},
    )


def _report(nodes: Mapping[str, NodeResult]) -> str | None:
    return f'{nodes["Report"].outputs["report"].uri}/report.html' if 'Report' in nodes else None
