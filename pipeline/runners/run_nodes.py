"""`thawline run-node`: one or more nodes of a compiled pipeline, in this process.

Schedulers call it, so it prints plain lines, reports the outcome by its exit code, and shares a run
with other processes through the metadata alone.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pathlib
import re
import shlex
import time
import traceback
from collections.abc import Sequence

from thawline.components.ingestion import sources
from thawline.components.shared import node_names
from thawline.components.shared.durations import duration
from thawline.components.shared.errors import ConfigError
from thawline.pipeline.config.project import Project
from thawline.pipeline.engines.engine import Engine
from thawline.pipeline.metadata import execution_states
from thawline.pipeline.metadata.runs import NodeResult
from thawline.pipeline.metadata.stores import opening, relocation
from thawline.pipeline.notifications import details, notify, targets
from thawline.pipeline.reports import lookup
from thawline.pipeline.runners import checks, compiled_file, killed_runs
from thawline.pipeline.runners.compiled_file import Envelope
from thawline.pipeline.runners.failures import AlreadyRunning, InputsMissing, save_unusable
from thawline.pipeline.runners.node import NodeRunner
from thawline.pipeline.system import file_locks, log_redirect, signals, temporary_files
from thawline.pipeline.terminal import endings
from thawline.pipeline.terminal.exit_codes import Outcome
from thawline.pipeline.terminal.run_display import RunDisplay

_RUN_ID = re.compile(r'[A-Za-z0-9][A-Za-z0-9_.:+~@=-]{0,127}')
_BASES = (node_names.EMBEDDER, node_names.TRAINER)  # nodes that load the base's weights first


def execute(
    path: pathlib.Path, nodes: Sequence[str], run_id: str, force: bool, on: str | None = None
) -> Outcome:
    """Runs nodes and shows their progress; returns how they ended.

    Args:
        path: of what `thawline compile` wrote.
        nodes: in any order.
        run_id: names the run; the same for all processes that run its nodes.
        force: run complete nodes again.
        on: name of an engine that replaces the configured one.

    Raises:
        UserError: the file, a node or the id cannot be used.
    """
    if not _RUN_ID.fullmatch(run_id):
        raise ConfigError(
            f'--run-id: received {run_id!r}; give 1 to 128 letters, digits or _ . : + ~ @ = - that '
            'begin with a letter or digit'
        )
    pipeline = compiled_file.read(path)
    compiled_file.check_home(pipeline)
    order = pipeline.in_order(nodes)
    if not order:
        raise ConfigError('--node: name at least one node')
    project, began = pipeline.project.on_engine(on), time.monotonic()
    log = project.logs / log_name(run_id, order)
    with (
        signals.interruptible(),
        log_redirect.redirect_output(log) as terminal,
        temporary_files.in_own_folder(),
    ):
        display = RunDisplay(terminal, project)
        display.show_title(run_id)
        display.show_fact('log', log)
        logging.info('nodes %s of %s, %s', ', '.join(order), path, pipeline.digest)
        call = _Call(display, path, pipeline, project, order, run_id, log)
        try:
            outcome = call.run(force)
        except Exception as error:  # noqa: BLE001 - every ending is shown and has an exit code
            logging.error('the nodes ended:\n%s', traceback.format_exc())
            outcome = call.report_failure(error)
        display.show_fact('time', duration(time.monotonic() - began))
        logging.info('exit code %d', outcome)
    return outcome


def log_name(run_id: str, nodes: Sequence[str]) -> str:
    """Name of the log file of a call: `<run>-<node>.log`, or `<run>-<first>..<last>.log`."""
    label = nodes[0] if len(nodes) == 1 else f'{nodes[0]}..{nodes[-1]}'
    return f'{run_id}-{label}.log'


class _Call:
    """One call of the command, from the checks to the exit code."""

    def __init__(
        self,
        display: RunDisplay,
        path: pathlib.Path,
        pipeline: Envelope,
        project: Project,
        nodes: Sequence[str],
        run_id: str,
        log: pathlib.Path,
    ) -> None:
        self._display, self._pipeline, self._nodes = display, pipeline, nodes
        self._path = path
        self._project, self._run_id, self._log = project, run_id, log

    def run(self, force: bool) -> Outcome:
        """Runs the nodes; returns how they ended."""
        project = self._project
        if line := relocation.relocate(project):
            self._display.show_fact('note', line)
        with (
            self._shared_lock(),
            Engine.of(project) as engine,
        ):
            runner = NodeRunner(self._pipeline, self._run_id, self._display, engine)
            if runner.has_to_run(self._nodes, force):
                self._prepare()
            runner.run(self._nodes, force)
        return self._outcome(runner)

    def _shared_lock(self) -> contextlib.AbstractContextManager[None]:
        """Excludes `thawline run`, but not other scheduled nodes."""

        def busy(process: str) -> AlreadyRunning:
            return AlreadyRunning(
                self._nodes[0],
                f'thawline run is under way in this project (process {process}); try again when '
                'it has finished',
            )

        self._project.mark_output()
        return file_locks.lock(self._project.run_lock, str(os.getpid()), shared=True, busy=busy)

    def _prepare(self) -> None:
        """Checks all that can be checked before a node runs, and starts TFX.

        Raises:
            UserError: with the problem and its solution.
        """
        project = self._project
        checks.check_files(project)
        compiled_file.check_files(self._pipeline)
        opening.prepare_run(project)
        if line := killed_runs.clean_up(project, alone=False):
            self._display.show_fact('note', line)
        targets.check(project.config.notifications, os.environ, project.home)
        if node_names.IMAGE_EXAMPLE_GEN in self._nodes:
            for note in sources.list_source(project.source_spec()).notes:
                self._display.show_fact('note', note)
        if node_names.TUNED in self._nodes:
            checks.check_tuned(project)
        try:
            with self._display.waiting('starting TensorFlow and TFX', in_plain_text=True):
                from thawline.pipeline import tfx_imports  # noqa: F401
        except ImportError as error:
            raise ConfigError(
                f'this environment lacks packages that nodes need ({error}); run: thawline doctor'
            ) from error
        if set(self._nodes) & set(_BASES):
            checks.check_weights(project)

    def _outcome(self, runner: NodeRunner) -> Outcome:
        results, outcome = runner.whole_run(), Outcome.BLESSED
        if node_names.PUSHER in self._nodes:
            outcome = self._display.show_summary(results)
        if node_names.REPORT in self._nodes:
            link = self._project.report_link(self._run_id)
            lookup.link_page(results, link)
            self._display.show_fact('report', link)
        if runner.ran and runner.is_complete:
            self._notify(results, endings.summarise(results).outcome)
        return outcome

    def report_failure(self, error: Exception) -> Outcome:
        """Prints why nodes failed or stopped; returns the outcome."""
        node = getattr(error, 'node', None)
        if node is not None:
            self._display.show_failed(node)
        outcome = endings.error_outcome(error)
        if isinstance(error, InputsMissing) and outcome is not Outcome.INTERRUPTED:
            outcome = Outcome.INPUTS_MISSING
        message = self._display.show_error(error, outcome)
        if unusable := save_unusable(error, self._log):
            self._display.show_fact('files', unusable)
        self._show_next(outcome)
        is_over = outcome not in (Outcome.INPUTS_MISSING, Outcome.BUSY)
        if self._project.config.notifications and is_over:
            self._notify(self._results_so_far(), outcome, message, node)
        return outcome

    def _show_next(self, outcome: Outcome) -> None:
        """The same call again, and when."""
        steps = endings.steps_after_error(outcome, 'run-node')
        purpose = steps[-1][1] if steps else ''
        if outcome is Outcome.INPUTS_MISSING:
            purpose = 'again, once the nodes before have completed'
        nodes = ' '.join(f'--node {node}' for node in self._nodes)
        call = f'thawline run-node --ir {shlex.quote(str(self._path))} {nodes}'
        self._display.show_fact('next', f'{call} --run-id {self._run_id}  {purpose}')

    def _results_so_far(self) -> list[NodeResult]:
        """The results of other nodes, if the metadata can be read at all."""
        try:
            return NodeRunner(self._pipeline, self._run_id, self._display).whole_run()
        except Exception:  # the first error was printed, and decides the outcome
            logging.exception('the run cannot be read')
            return []

    def _notify(
        self,
        results: Sequence[NodeResult],
        outcome: Outcome,
        message: str | None = None,
        node: str | None = None,
    ) -> None:
        """Sends the configured notifications."""
        good = [result for result in results if result.state in execution_states.SUCCESS_STATES]
        seconds = sum(result.seconds for result in good)
        ending = details.Ending(self._run_id, outcome, seconds, good, message, node, self._log)
        sent = notify.notify(self._project, ending, self._display.notifying)
        self._display.show_notified(sent)
