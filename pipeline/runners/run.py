"""One run from a checked configuration to an outcome, with the terminal told all along."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import enum
import logging
import os
import pathlib
import sys
import time
import traceback
from typing import NoReturn

import rich.console
import rich.text

from thawline.components.bulk_prediction import listing as to_predict
from thawline.components.ingestion import sources
from thawline.components.ingestion.source_types import Listing
from thawline.components.shared.errors import ConfigError, DataError, UserError
from thawline.pipeline.config import beam
from thawline.pipeline.config.project import WEIGHTS_BY_NAME, Project
from thawline.pipeline.metadata.runs import NodeResult
from thawline.pipeline.metadata.stores import opening
from thawline.pipeline.notifications import details, notify, targets
from thawline.pipeline.system import file_locks, log_redirect, signals
from thawline.pipeline.terminal import node_lines, progress_display


class Outcome(enum.IntEnum):
    """How a run ended; the value is the exit code."""

    BLESSED = 0
    CRASHED = 1
    BAD_CONFIGURATION = 2
    NOT_BLESSED = 3
    STOPPED_BY_DATA = 4
    INPUTS_MISSING = 5
    INTERRUPTED = 130


@dataclasses.dataclass(frozen=True)
class Options:
    """What was asked for at the prompt."""

    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    use_cache: bool = True
    tune: bool = False
    engine: str | None = None


def _only_run(project: Project) -> contextlib.AbstractContextManager[None]:
    """Holds the project's lock."""

    def busy(process: str) -> ConfigError:
        return ConfigError(
            f'another run of this project is under way (process {process}); '
            f'wait for it, or give this one another output than {project.output}'
        )

    return file_locks.held(project.lock, str(os.getpid()), busy=busy)


def check(project: Project) -> Listing:
    """Finds what can be found wrong before anything heavy starts.

    Raises:
        ConfigError, DataError: with what is wrong and how to mend it.
    """
    check_files(project)
    opening.to_run(project)
    targets.check(project.config.notifications, os.environ, project.home)
    if project.config.serving.bulk is not None:
        # Read last in a run: after a training is late to hear that nothing is there.
        try:
            to_predict.of_sources(
                [project.bulk_source(project.config.serving.bulk)], project.source_spec().columns
            )
        except UserError as error:
            raise type(error)(f'serving.bulk.data: {error}') from error
    return sources.list_source(project.source_spec())


def check_files(project: Project) -> None:
    """Refuses a configuration that names weights or a schema which are not there.

    Raises:
        ConfigError: with the path.
    """
    weights = project.weights()
    if weights not in WEIGHTS_BY_NAME and not pathlib.Path(weights).is_file():
        raise ConfigError(
            f'model.weights: there is no file {weights}; give the path of a weights file, or one '
            f'of {", ".join(WEIGHTS_BY_NAME)}'
        )
    if project.config.data.schema_file is not None and not project.schema.is_file():
        raise ConfigError(f'data.schema_file: there is no file {project.schema}')


def check_weights(project: Project) -> None:
    """Refuses weights that the Trainer could not use, before anything runs.

    A file is loaded into its base once, which takes a second or two and proves that it fits;
    weights that have to be downloaded are fetched now rather than after the images were prepared.
    """
    from thawline.components import backbones

    model = project.located_model()
    state = backbones.availability(model.backbone).get(model.weights, 'absent')
    if model.weights != 'random' and not state.startswith('present'):
        backbones.build(model.backbone, project.config.image_size, model.weights)


def _cause(error: BaseException, kind: type[BaseException]) -> BaseException | None:
    """The first exception of `kind` in the chain of causes."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, kind):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def outcome_of(error: Exception) -> Outcome:
    """How a run ended that ended with an exception."""
    if signals.requested():
        return Outcome.INTERRUPTED
    if _cause(error, DataError):
        return Outcome.STOPPED_BY_DATA
    if _cause(error, ConfigError):
        return Outcome.BAD_CONFIGURATION
    return Outcome.CRASHED


def explain(console: rich.console.Console, error: Exception, outcome: Outcome) -> str:
    """Says why the run did not come to its end, and returns that."""
    known = _cause(error, UserError)
    if outcome is Outcome.INTERRUPTED:
        message = 'stopped on request; nothing that was finished is lost, run again to go on'
    elif known is not None:
        message = str(known)
    else:
        message = f'{error} ({type(error.__cause__ or error).__name__})'
    line = rich.text.Text.assemble(('error: ', 'bold red'), message)
    console.print(line, highlight=False, soft_wrap=not console.is_terminal)
    return message


def summary(console: rich.console.Console, results: list[NodeResult]) -> Outcome:
    """Says what came of it, and returns that."""
    by_node = {result.node: result for result in results}
    if 'Tuner' in by_node:
        return Outcome.BLESSED  # what it found is shown by those who asked for it
    if 'Evaluator' not in by_node or 'Pusher' not in by_node:
        console.print('part of the chain ran; no verdict on a model was asked for', style='bold')
        return Outcome.BLESSED
    blessed = by_node['Evaluator'].outputs['blessing'].properties.get('blessed') == 1
    pushed = by_node['Pusher'].outputs['pushed_model'].properties
    if blessed and pushed.get('pushed') == 1:
        console.print(rich.text.Text('BLESSED and pushed', 'bold green'), highlight=False)
        console.print(f'  model   {pushed["pushed_destination"]}', highlight=False, soft_wrap=True)
        return Outcome.BLESSED
    if blessed and 'ServingCheck' in by_node:
        refused = 'BLESSED, but refused by the serving check: nothing was pushed'
        console.print(rich.text.Text(refused, 'bold yellow'), highlight=False)
        for line in node_lines.serving_record(by_node['ServingCheck']).problems:
            console.print(f'  {line}', highlight=False, markup=False, soft_wrap=True)
        return Outcome.NOT_BLESSED
    console.print(rich.text.Text('NOT BLESSED, nothing was pushed', 'bold yellow'), highlight=False)
    for line in node_lines.refusal_lines(by_node['Evaluator']):
        console.print(f'  {line}', highlight=False, markup=False, soft_wrap=True)
    return Outcome.NOT_BLESSED


def execute(project: Project, options: Options) -> Outcome:
    """Runs the chain and tells the terminal; returns how it ended."""
    config = project.config.model_copy(
        update={'beam': beam.on(project.config.beam, options.engine)}
    )
    run_id = datetime.datetime.now().strftime('%Y%m%d-%H%M%S.%f')[:-3]
    log = project.logs / f'{run_id}.log'
    began = time.monotonic()
    with _only_run(project), signals.listening(), log_redirect.diverted(log) as terminal:
        console = rich.console.Console(file=terminal)
        console.print(
            f'[bold]{config.name}[/bold]  run {run_id}  in {project.output}', highlight=False
        )
        results: list[NodeResult] = []
        message = node = None
        try:
            _run_graph(console, project, options, run_id, results)
            outcome = summary(console, results)
        except Exception as error:  # noqa: BLE001 - every ending is shown and has an exit code
            logging.error('the run ended:\n%s', traceback.format_exc())
            outcome = outcome_of(error)
            message, node = explain(console, error, outcome), getattr(error, 'node', None)
        seconds = time.monotonic() - began
        console.print(f'  time    {progress_display.duration(seconds)}', highlight=False)
        console.print(f'  log     {log}', highlight=False, soft_wrap=True)
        ending = details.Ending(run_id, outcome, seconds, results, message, node, log)
        notify.notify(console, project, ending)
    return outcome


def _run_graph(
    console: rich.console.Console,
    project: Project,
    options: Options,
    run_id: str,
    results: list[NodeResult],
) -> None:
    """Runs the chain; the `results` of nodes that ended well are there after a failure too."""
    listing = check(project)
    for note in listing.notes:
        console.print(f'  note    {note}', highlight=False, markup=False, soft_wrap=True)
    with (
        console.status('starting TensorFlow and TFX')
        if console.is_terminal
        else (contextlib.nullcontext())
    ):
        from thawline.pipeline import graph
        from thawline.pipeline.commands import tune
        from thawline.pipeline.engines.engine import Engine
        from thawline.pipeline.runners import failures, local

    if project.config.training.tuned and not options.tune:
        tune.require(project)
    check_weights(project)
    shown = progress_display.Display(console, lambda result: node_lines.line(result, project))
    selection = local.Selection(options.first, options.last)
    wired = graph.build(project, options.use_cache, options.tune)
    known = [node.id for node in wired.components]
    for name in (*options.first, *options.last):
        if name not in known:
            raise ConfigError(f'no node {name!r}; there are: {", ".join(known)}')
    with Engine(project.config.beam, project.name, project.home, project.engine_logs) as engine:
        runner = local.LocalRunner(run_id, shown, selection, engine)
        try:
            runner.run(wired)
        except failures.NodeFailed as error:
            shown.failed(error.node)
            raise
        finally:
            results += runner.results


def leave(outcome: Outcome) -> NoReturn:
    """Ends the process with the outcome's code, at once.

    After an interruption threads of Beam or TensorFlow may still be busy with work that nobody
    wants any more, and would keep the process alive; and to take down TensorFlow, module by module,
    takes two seconds. All that a run leaves is written by then.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(outcome))
