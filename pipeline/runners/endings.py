"""How a run or a node ended: its exit code, and its summary on the terminal."""

from __future__ import annotations

import pathlib

import rich.console
import rich.text

from thawline.components.shared import errors, node_names, property_names, version_folders
from thawline.pipeline.metadata import node_records
from thawline.pipeline.metadata.runs import NodeResult, Output
from thawline.pipeline.system import signals
from thawline.pipeline.terminal import exit_codes
from thawline.pipeline.terminal.exit_codes import Outcome


def error_outcome(error: Exception) -> Outcome:
    """The outcome of a run that raised an exception."""
    return Outcome.INTERRUPTED if signals.is_stop_requested() else exit_codes.of_error(error)


def print_error(console: rich.console.Console, error: Exception, outcome: Outcome) -> str:
    """Prints why the run failed or stopped; returns the message."""
    known = errors.user_error(error)
    if outcome is Outcome.INTERRUPTED:
        message = 'stopped on request; finished nodes are kept, run again to continue'
    elif known is not None:
        message = str(known)
    else:
        message = f'{error} ({type(error.__cause__ or error).__name__})'
    line = rich.text.Text.assemble(('error: ', 'bold red'), message)
    console.print(line, highlight=False, soft_wrap=not console.is_terminal)
    return message


def print_summary(console: rich.console.Console, results: list[NodeResult]) -> Outcome:
    """Prints how the run ended; returns the outcome."""
    by_node = {result.node: result for result in results}
    if node_names.TUNER in by_node:
        return Outcome.BLESSED  # `thawline tune` shows the result
    if node_names.PUSHER not in by_node:
        console.print('part of the pipeline ran; no verdict on a model', style='bold')
        return Outcome.BLESSED
    pushed = by_node[node_names.PUSHER].outputs['pushed_model']
    if pushed.pushed:
        _print_push(console, pushed)
        return Outcome.BLESSED
    if node_names.EVALUATOR not in by_node:  # it ran in an earlier run
        refused = 'NOT PUSHED: the gate or the serving check refused the model'
        console.print(rich.text.Text(refused, 'bold yellow'), highlight=False)
        return Outcome.NOT_BLESSED
    blessed = by_node[node_names.EVALUATOR].outputs['blessing'].blessed
    if blessed and node_names.SERVING_CHECK in by_node:
        refused = 'BLESSED, but refused by the serving check: nothing was pushed'
        console.print(rich.text.Text(refused, 'bold yellow'), highlight=False)
        for line in node_records.serving_record(by_node[node_names.SERVING_CHECK]).problems:
            console.print(f'  {line}', highlight=False, markup=False, soft_wrap=True)
        return Outcome.NOT_BLESSED
    console.print(rich.text.Text('NOT BLESSED, nothing was pushed', 'bold yellow'), highlight=False)
    for line in node_records.refusal_lines(by_node[node_names.EVALUATOR]):
        console.print(f'  {line}', highlight=False, markup=False, soft_wrap=True)
    return Outcome.NOT_BLESSED


def _print_push(console: rich.console.Console, pushed: Output) -> None:
    """Prints the version of the model, and what servers load where that is another one by now."""
    version = pushed.properties[property_names.PUSHED_VERSION]
    how = ', already in staging' if pushed.already_there else ' and pushed'
    console.print(
        rich.text.Text(f'BLESSED{how} as version {version}', 'bold green'), highlight=False
    )
    place = pathlib.Path(pushed.properties[property_names.PUSHED_DESTINATION])
    console.print(f'  model   {place}', highlight=False, soft_wrap=True)
    served = next(iter(version_folders.complete_versions(place.parent)), None)
    if served != int(version):
        instead = 'no model' if served is None else f'version {served}'
        console.print(
            f'  note    servers load {instead} from {place.parent} by now',
            highlight=False, markup=False, soft_wrap=True,
        )  # fmt: skip
