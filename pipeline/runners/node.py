"""Runs nodes of a compiled pipeline, as part of a run that it shares with other processes.

Starts TFX, which takes many seconds, only if a node has to run.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from thawline.pipeline.metadata import runs
from thawline.pipeline.metadata.runs import NodeResult
from thawline.pipeline.metadata.stores import opening
from thawline.pipeline.runners import compiled_file, staleness
from thawline.pipeline.runners.compiled_file import Envelope
from thawline.pipeline.runners.failures import AlreadyRunning, InputsMissing
from thawline.pipeline.system import file_locks, signals
from thawline.pipeline.terminal.progress_display import Display

if TYPE_CHECKING:
    from thawline.pipeline.engines.engine import Engine
    from thawline.pipeline.runners.launching import CompiledRun


class NodeRunner:
    """Runs nodes under a run id, whoever ran those before them.

    Attributes:
        ran: nodes that ran here, or came from the cache.
    """

    def __init__(
        self,
        pipeline: Envelope,
        run_id: str,
        display: Display,
        engine: Engine | None = None,
    ) -> None:
        """`run_id` names the run in the metadata; the engine runs Beam nodes."""
        self._pipeline = pipeline
        self._run_id = run_id
        self._display = display
        self._engine = engine
        self._definitions = compiled_file.node_digests(
            pipeline.pipeline, pipeline.project.placeholders
        )
        self.ran: list[str] = []

    @property
    def is_complete(self) -> bool:
        """Whether all nodes of the run are done, in any process."""
        return not any(self._reasons().values())

    def whole_run(self) -> list[NodeResult]:
        """The results of the run so far, from all processes."""
        store = opening.find_store(self._pipeline.project)
        return runs.node_results(store, self._run_id, self._pipeline.name) if store else []

    def has_to_run(self, nodes: Sequence[str], force: bool) -> bool:
        """Whether any of the nodes would run; see `run`.

        Raises:
            InputsMissing: nodes before the first such node are not complete.
            AlreadyRunning: another process is running it.
        """
        why = self._reasons()
        for name in nodes:
            if force or why[name]:
                self._require(name, why)
                with self._lock(name):
                    return True
        return False

    def run(self, nodes: Sequence[str], force: bool) -> None:
        """Runs nodes that are not complete in this run yet, in the order given.

        Args:
            nodes: in an order in which they can run.
            force: run complete nodes too, without the cache.

        Raises:
            InputsMissing: nodes before one of them are not complete.
            AlreadyRunning: another process is running one of them.
            NodeFailed: one raised.
        """
        for name in nodes:
            if signals.is_stop_requested():  # and some library swallowed the exception
                raise signals.Interrupted
            with self._lock(name):
                self._run_node(name, force)

    def _lock(self, name: str) -> contextlib.AbstractContextManager[None]:
        """Keeps other processes away from a node."""

        def busy(process: str) -> AlreadyRunning:
            return AlreadyRunning(
                name, f'process {process} is running it; try again when that has ended'
            )

        path = self._pipeline.project.node_locks / f'{self._run_id}-{name}'
        return file_locks.lock(path, str(os.getpid()), remove=True, busy=busy)

    def _run_node(self, name: str, force: bool) -> None:
        why = self._reasons()
        if not why[name] and not force:
            self._display.show_complete(next(one for one in self.whole_run() if one.node == name))
            return
        self._require(name, why)
        with self._display.show_running(name):
            result = self._compiled.launch(name, use_cache=not force)
        self.ran.append(name)
        self._display.show_done(result)

    def _require(self, name: str, why: dict[str, str]) -> None:
        missing = staleness.missing_inputs(name, self._pipeline.upstream, why)
        if missing:
            raise InputsMissing(name, f'its inputs are missing: {missing}')

    def _reasons(self) -> dict[str, str]:
        store = opening.find_store(self._pipeline.project)
        attempts = runs.read_attempts(store, self._run_id, self._pipeline.name) if store else {}
        return staleness.stale_reasons(self._pipeline.upstream, attempts, self._definitions)

    @functools.cached_property
    def _compiled(self) -> CompiledRun:
        from thawline.pipeline.runners import launching

        return launching.from_json(
            self._pipeline.pipeline,
            self._run_id,
            self._engine,
            self._pipeline.project.placeholders,
        )
