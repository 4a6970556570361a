"""One run, from a checked configuration to an outcome, with its progress on the terminal."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import logging
import os
import pathlib
import time
import traceback

from thawline.components.shared import node_names
from thawline.components.shared.durations import duration
from thawline.components.shared.errors import Busy, NotFound
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata import ingestions
from thawline.pipeline.metadata.runs import NodeResult
from thawline.pipeline.notifications import details, notify
from thawline.pipeline.runners import killed_runs
from thawline.pipeline.runners.checks import (
    check_columns,
    check_disk,
    check_project,
    check_weights,
    older_types_note,
)
from thawline.pipeline.runners.failures import save_unusable
from thawline.pipeline.system import file_locks, log_redirect, signals, temporary_files
from thawline.pipeline.terminal import endings
from thawline.pipeline.terminal.exit_codes import Outcome
from thawline.pipeline.terminal.run_display import RunDisplay


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """Options of `thawline run`."""

    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    use_cache: bool = True
    tune: bool = False


def _only_run(project: Project) -> contextlib.AbstractContextManager[None]:
    """Holds the project's lock."""

    def busy(process: str) -> Busy:
        return Busy(
            f'another run of this project is under way (process {process}); '
            f'wait for it to finish, or set an output other than {project.output}'
        )

    project.mark_output()
    return file_locks.lock(project.run_lock, str(os.getpid()), busy=busy)


def execute(project: Project, options: RunOptions) -> Outcome:
    """Runs the pipeline and shows its progress; returns how it ended."""
    run_id = datetime.datetime.now().strftime('%Y%m%d-%H%M%S.%f')[:-3]
    log = project.logs / f'{run_id}.log'
    began = time.monotonic()
    with (
        _only_run(project),
        signals.interruptible(),
        log_redirect.redirect_output(log) as terminal,
        temporary_files.in_own_folder(),
    ):
        display = RunDisplay(terminal, project)
        display.show_title(run_id)
        results: list[NodeResult] = []
        message = node = None
        try:
            _run_graph(display, project, options, run_id, results)
            outcome = display.show_summary(results)
        except Exception as error:  # noqa: BLE001 - every ending is shown and has an exit code
            logging.error('the run ended:\n%s', traceback.format_exc())
            outcome = endings.error_outcome(error)
            message, node = display.show_error(error, outcome), getattr(error, 'node', None)
            if unusable := save_unusable(error, log):
                display.show_fact('files', unusable)
            command = 'tune' if options.tune else 'run'
            differs = node == node_names.DATA_GATE and project.schema.is_file()
            display.show_next(endings.steps_after_error(outcome, command, differs))
        seconds = time.monotonic() - began
        display.show_fact('time', duration(seconds))
        display.show_fact('log', log)
        ending = details.Ending(run_id, outcome, seconds, results, message, node, log)
        display.show_notified(notify.notify(project, ending, display.notifying))
    return outcome


def _run_graph(
    display: RunDisplay,
    project: Project,
    options: RunOptions,
    run_id: str,
    results: list[NodeResult],
) -> None:
    """Runs the pipeline; after a failure too, `results` holds the nodes that succeeded."""
    listing = check_project(project)
    if line := killed_runs.clean_up(project, alone=True):
        display.show_fact('note', line)
    notes = (check_disk(project, listing), older_types_note(project))
    for note in filter(None, (*listing.notes, *notes)):
        display.show_fact('note', note)
    with display.waiting('starting TensorFlow and TFX'):
        from thawline.pipeline import graph
        from thawline.pipeline.engines.engine import Engine
        from thawline.pipeline.runners import checks, failures, local

    if project.config.training.tuned and not options.tune:
        checks.check_tuned(project)
    check_weights(project)
    # Earlier results are used only if they are of these images.
    fingerprints = ingestions.source_fingerprints(project) if options.first else {}
    selection = local.Selection(options.first, options.last, fingerprints)
    wired = graph.build(project, options.use_cache, options.tune)
    known = [node.id for node in wired.components]
    for name in (*options.first, *options.last):
        if name not in known:
            raise NotFound(f'no node {name!r}; there are: {", ".join(known)}')
    with Engine.of(project) as engine:

        def check(result: NodeResult) -> None:
            if result.node == node_names.STATISTICS_GEN:
                statistics = pathlib.Path(result.outputs['statistics'].uri)
                check_columns(project.config.evaluation, project.config.gate, statistics)

        runner = local.LocalRunner(run_id, display, selection, engine, project.placeholders, check)
        try:
            runner.run(wired)
        except failures.NodeFailed as error:
            display.show_failed(error.node)
            raise
        finally:
            results += runner.results
