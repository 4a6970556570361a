"""How a run or a node ended: its exit code, and its summary in words."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator, Mapping, Sequence

from thawline.components.shared import errors, node_names, property_names, version_folders
from thawline.pipeline.metadata import node_records
from thawline.pipeline.metadata.runs import NodeResult, Output
from thawline.pipeline.system import signals
from thawline.pipeline.terminal import exit_codes
from thawline.pipeline.terminal.exit_codes import Outcome

_REVIEW = ('review last', 'the report, with the images that the model gets wrong')
_AGAIN = ('run', 'the whole pipeline, with its report')
_PROMOTE = ('promote last', 'this model into production')


@dataclasses.dataclass(frozen=True)
class RunSummary:
    """How a run ended; the headline is empty where another command shows the result.

    Attributes:
        cautions: what the gate could not tell.
        next_steps: commands, without the project, and what they are for.
    """

    outcome: Outcome
    headline: str = ''
    style: str = 'bold'
    lines: Sequence[str] = ()
    cautions: Sequence[str] = ()
    next_steps: Sequence[tuple[str, str]] = ()


def error_outcome(error: Exception) -> Outcome:
    """The outcome of a run that raised an exception."""
    return Outcome.INTERRUPTED if signals.is_stop_requested() else exit_codes.of_error(error)


def error_message(error: Exception, outcome: Outcome) -> str:
    """Why a run failed or stopped."""
    if outcome is Outcome.INTERRUPTED:
        return 'stopped on request; finished nodes are kept, run again to continue'
    if known := errors.user_error(error):
        return str(known)
    return f'{error} ({type(error.__cause__ or error).__name__})'


def steps_after_error(
    outcome: Outcome, command: str, differs: bool = False
) -> list[tuple[str, str]]:
    """What to do next after a run or a tuning that failed or stopped: `command` again, mostly.

    Args:
        outcome: how it ended.
        command: that ended.
        differs: whether its images may differ from a reviewed schema.
    """
    again = {
        Outcome.INTERRUPTED: 'go on; finished nodes are kept',
        Outcome.BAD_CONFIGURATION: 'again, once the configuration is right',
        Outcome.STOPPED_BY_DATA: 'again, once the images are right',
        Outcome.INPUTS_MISSING: 'the whole chain',
        Outcome.BUSY: 'again, once the other process has ended',
        Outcome.UNAVAILABLE: 'again later; finished nodes are kept',
        Outcome.CRASHED: 'again; finished nodes are kept',
    }
    steps = [(command, again[outcome])] if outcome in again else []
    if outcome is Outcome.STOPPED_BY_DATA and differs:
        steps.insert(0, ('schema review', 'what differs from the reviewed schema, with file names'))
    if outcome is Outcome.CRASHED:
        steps.insert(0, ('doctor', 'whether the environment is sound; the log has the details'))
    return steps


def summarise(results: Sequence[NodeResult]) -> RunSummary:
    """How a run without an error ended."""
    by_node = {result.node: result for result in results}
    if node_names.TUNER in by_node:
        return RunSummary(Outcome.BLESSED)  # `thawline tune` shows the result
    if node_names.PUSHER not in by_node:
        headline = 'part of the pipeline ran; no verdict on a model'
        return RunSummary(Outcome.BLESSED, headline, next_steps=[('run', 'the whole pipeline')])
    pushed = by_node[node_names.PUSHER].outputs['pushed_model']
    cautions = _cautions(by_node)
    if pushed.pushed:
        return dataclasses.replace(_pushed(pushed), cautions=cautions)
    lines: Sequence[str] = ()
    if node_names.EVALUATOR not in by_node:  # it ran in an earlier run
        headline = 'NOT PUSHED: the gate or the serving check refused the model'
    elif (
        by_node[node_names.EVALUATOR].outputs['blessing'].blessed
        and node_names.SERVING_CHECK in by_node
    ):
        headline = 'BLESSED, but refused by the serving check: nothing was pushed'
        lines = node_records.serving_record(by_node[node_names.SERVING_CHECK]).problems
    else:
        headline = 'NOT BLESSED, nothing was pushed'
        lines = node_records.refusal_lines(by_node[node_names.EVALUATOR])
    next_steps = [
        _REVIEW if node_names.REPORT in by_node else _AGAIN,
        *_labelling(by_node.get(node_names.EVALUATOR)),
    ]
    return RunSummary(Outcome.NOT_BLESSED, headline, 'bold yellow', lines, cautions, next_steps)


def _labelling(evaluator: NodeResult | None) -> Iterator[tuple[str, str]]:
    """The command for the queue of images that would decide a rule that refused the model."""
    queue = node_records.label_queue(evaluator) if evaluator is not None else None
    if queue is None:
        return
    command = f'labels export --to csv --for {queue.purpose}'
    if queue.purpose == 'all':
        yield command, 'labels to check'
    elif queue.count is None:
        yield command, 'images to label'
    else:
        yield f'{command} --count {queue.count}', 'images to label, as many as would decide'


def _cautions(by_node: Mapping[str, NodeResult]) -> list[str]:
    """What the gate could not tell."""
    evaluator = by_node.get(node_names.EVALUATOR)
    if evaluator is None:
        return []
    return node_records.verdict(evaluator).cautions


def _pushed(pushed: Output) -> RunSummary:
    """The version of the model, and what servers load where that is another one by now."""
    version = pushed.properties[property_names.PUSHED_VERSION]
    how = ', already in staging' if pushed.already_there else ' and pushed'
    place = pathlib.Path(pushed.properties[property_names.PUSHED_DESTINATION])
    lines = [f'model   {place}']
    served = next(iter(version_folders.complete_versions(place.parent)), None)
    if served != int(version):
        instead = 'no model' if served is None else f'version {served}'
        lines.append(f'note    servers load {instead} from {place.parent} by now')
    headline, next_steps = f'BLESSED{how} as version {version}', [_REVIEW, _PROMOTE]
    return RunSummary(Outcome.BLESSED, headline, 'bold green', lines, next_steps=next_steps)
