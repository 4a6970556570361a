"""TFX's local runner, with progress on the terminal and a check of every node's result.

`LocalDagRunner` runs every node in this process silently, and continues when the inputs of a node
could not be resolved. How one node is launched: `pipeline.runners.launching`.
"""

from __future__ import annotations

import dataclasses

from thawline.components.shared.errors import NotFound
from thawline.pipeline import tfx_imports
from thawline.pipeline.engines.engine import Engine
from thawline.pipeline.metadata import runs
from thawline.pipeline.metadata.runs import NodeResult
from thawline.pipeline.runners.launching import CompiledRun
from thawline.pipeline.system import signals
from thawline.pipeline.terminal.progress_display import Display

from tfx.proto.orchestration import pipeline_pb2  # isort: skip - after tfx_imports


@dataclasses.dataclass(frozen=True)
class Selection:
    """The part of the graph to run; everything by default."""

    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()

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
    ) -> None:
        """`run_id` names the run in the metadata; a selection reuses the latest run's results."""
        super().__init__()
        self._run_id = run_id
        self._display = display
        self._selection = selection
        self._engine = engine
        self.results: list[NodeResult] = []

    def run_with_ir(
        self, pipeline: pipeline_pb2.Pipeline, run_options: pipeline_pb2.RunOptions | None = None
    ) -> None:
        """As the base class, one node after the other in topological order.

        Raises:
            NodeFailed: a node raised, or its inputs could not be resolved.
        """
        del run_options  # the selection serves instead
        run = CompiledRun(pipeline, self._run_id, self._engine)
        if not self._selection.is_all:
            self._select(run)
        for name in run.selected:
            if signals.is_stop_requested():  # and some library swallowed the exception
                raise signals.Interrupted
            with self._display.show_running(name):
                result = run.launch(name)
            self.results.append(result)
            self._display.show_done(result)

    def _select(self, run: CompiledRun) -> None:
        """Marks which nodes to run, and which run provides the results of all nodes before them.

        TFX would use the latest run, even one that failed or was partial.
        """
        order = list(run.upstream)
        before = order[: min((order.index(name) for name in self._selection.first), default=0)]
        settings = pipeline_pb2.SnapshotSettings()
        if before:
            with run.metadata() as handle:
                base = runs.latest_complete_run(handle.store, before, run.pipeline)
            if base is None:
                raise NotFound(
                    f'no earlier run has finished {before[-1]} and all nodes before it, whose '
                    f'results {order[len(before)]} needs; first run without --from and --only'
                )
            settings.base_pipeline_run_strategy.base_run_id = base.id
        run.select(self._selection.first, self._selection.last, settings)
