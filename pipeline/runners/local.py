"""TFX's local runner, with progress on the terminal and a check of every node's result.

`LocalDagRunner` runs every node in this process silently, and continues when the inputs of a node
could not be resolved. How one node is launched: `pipeline.runners.launching`.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping

from thawline.pipeline import tfx_imports
from thawline.pipeline.engines.engine import Engine
from thawline.pipeline.metadata.runs import NodeResult
from thawline.pipeline.runners import earlier_runs
from thawline.pipeline.runners.launching import CompiledRun
from thawline.pipeline.system import signals
from thawline.pipeline.terminal.progress_display import Display

from tfx.proto.orchestration import pipeline_pb2  # isort: skip - after tfx_imports


@dataclasses.dataclass(frozen=True)
class Selection:
    """The part of the graph to run; everything by default.

    Attributes:
        first, last: names of nodes.
        fingerprints: of sources as they are now, by the node that reads them.
    """

    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    fingerprints: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def is_all(self) -> bool:
        """Whether nothing was selected."""
        return not self.first and not self.last


class LocalRunner(tfx_imports.LocalDagRunner):
    """Runs a pipeline in this process, node by node."""

    def __init__(
        self,
        run_id: str,
        display: Display,
        selection: Selection,
        engine: Engine | None = None,
        placeholders: Mapping[str, str] | None = None,
        check: Callable[[NodeResult], None] | None = None,
    ) -> None:
        """`run_id` names the run in the metadata; a selection reuses an earlier run's results.

        The engine and the placeholders are those of `CompiledRun`. `check` is called after each
        node, and may end the run.
        """
        super().__init__()
        self._run_id = run_id
        self._display = display
        self._selection = selection
        self._engine = engine
        self._placeholders = placeholders
        self._check = check
        self.results: list[NodeResult] = []

    def run_with_ir(
        self, pipeline: pipeline_pb2.Pipeline, run_options: pipeline_pb2.RunOptions | None = None
    ) -> None:
        """As the base class, one node after the other in topological order.

        Raises:
            NodeFailed: a node raised, or its inputs could not be resolved.
        """
        del run_options  # the selection serves instead
        run = CompiledRun(pipeline, self._run_id, self._engine, self._placeholders)
        if not self._selection.is_all:
            self._select(run)
        for name in run.selected:
            if signals.is_stop_requested():  # and some library swallowed the exception
                raise signals.Interrupted
            with self._display.show_running(name):
                result = run.launch(name)
            self.results.append(result)
            self._display.show_done(result)
            if self._check is not None:
                self._check(result)

    def _select(self, run: CompiledRun) -> None:
        """Marks which nodes to run, and which run provides the results of all nodes before them.

        TFX would use the latest run, whatever its nodes were and even if it failed.
        """
        run.select(self._selection.first, self._selection.last)
        if run.reused:
            upstream = {node: run.upstream[node] for node in run.reused}
            with run.metadata() as handle:
                base = earlier_runs.base_run(
                    handle.store,
                    run.pipeline,
                    upstream,
                    run.definitions,
                    self._selection.fingerprints,
                )
            logging.info('results of %s are those of run %s', ', '.join(upstream), base)
            run.reuse(base)
