"""TFX's local runner, which says what it does and looks at what came of each node.

`LocalDagRunner` runs every node in this process and tells nobody; it also goes on when a node's
inputs could not be resolved, because the launcher then returns normally. The state of each
execution is therefore read back from the metadata.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from typing import Any, Protocol

from components.errors import ConfigError
from pipeline import interruption, metadata, tfx_imports
from pipeline.metadata import NodeResult

from tfx.dsl.compiler import constants  # isort: skip - after tfx_imports
from tfx.orchestration import metadata as tfx_metadata  # isort: skip
from tfx.orchestration.local import runner_utils  # isort: skip
from tfx.orchestration.portable import launcher  # isort: skip
from tfx.orchestration.portable import partial_run_utils  # isort: skip
from tfx.orchestration.portable import runtime_parameter_utils  # isort: skip
from tfx.proto.orchestration import pipeline_pb2  # isort: skip


class NodeFailed(Exception):
    """A node did not complete; the cause, where there is one, is chained."""

    def __init__(self, node: str, why: str) -> None:
        super().__init__(f'{node} failed: {why}')
        self.node = node


class Narrator(Protocol):
    """Is told what happens."""

    def started(self, node: str) -> contextlib.AbstractContextManager[None]:
        """A node begins; the context lasts as long as it runs."""

    def ended(self, result: NodeResult) -> None:
        """A node has ended well, or was served from the cache."""


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

    def __init__(self, run_id: str, narrator: Narrator, selection: Selection) -> None:
        """`run_id` names the run in the metadata; a selection reuses the latest run's results."""
        super().__init__()
        self._run_id = run_id
        self._narrator = narrator
        self._selection = selection
        self.results: list[NodeResult] = []

    def run_with_ir(
        self, pipeline: pipeline_pb2.Pipeline, run_options: pipeline_pb2.RunOptions | None = None
    ) -> None:
        """As the base class, one node after the other in topological order.

        Raises:
            NodeFailed: a node raised, or its inputs could not be resolved.
        """
        del run_options  # the selection serves instead
        runtime_parameter_utils.substitute_runtime_parameter(
            pipeline, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: self._run_id}
        )
        deployment = runner_utils.extract_local_deployment_config(pipeline)
        wanted = deployment.metadata_connection_config
        connection = getattr(wanted, wanted.WhichOneof('connection_config'))
        if not self._selection.is_all:
            self._mark(pipeline, connection)
        for node in pipeline.nodes:
            if interruption.requested():  # and some library swallowed the exception
                raise interruption.Interrupted
            if not node.pipeline_node.execution_options.HasField('skip'):
                self._run_node(node.pipeline_node, pipeline, deployment, connection)

    def _mark(self, pipeline: pipeline_pb2.Pipeline, connection: Any) -> None:
        """Marks what to run, and which run the results of all nodes before it are taken from.

        TFX would take the latest run, also when that one failed or was a part of the chain itself.
        """
        order = [node.pipeline_node.node_info.id for node in pipeline.nodes]
        before = order[: min((order.index(name) for name in self._selection.first), default=0)]
        settings = pipeline_pb2.SnapshotSettings()
        if before:
            with tfx_metadata.Metadata(connection) as handle:
                base = metadata.latest_run_with(handle.store, before)
            if base is None:
                raise ConfigError(
                    f'no earlier run has finished {before[-1]} and all before it, whose results '
                    f'{order[len(before)]} needs; run without --from and --only first'
                )
            settings.base_pipeline_run_strategy.base_run_id = base.id
        partial_run_utils.mark_pipeline(
            pipeline,
            from_nodes=self._selection.first or None,
            to_nodes=self._selection.last or None,
            snapshot_settings=settings,
        )

    def _run_node(
        self, node: pipeline_pb2.PipelineNode, pipeline: Any, deployment: Any, connection: Any
    ) -> None:
        node_id = node.node_info.id
        started = time.monotonic()
        with self._narrator.started(node_id), self._named(node_id, connection):
            if node.execution_options.run.perform_snapshot:
                with tfx_metadata.Metadata(connection) as handle:
                    partial_run_utils.snapshot(handle, pipeline)
            launched = launcher.Launcher(
                pipeline_node=node,
                mlmd_connection=tfx_metadata.Metadata(connection),
                pipeline_info=pipeline.pipeline_info,
                pipeline_runtime_spec=pipeline.runtime_spec,
                executor_spec=runner_utils.extract_executor_spec(deployment, node_id),
                custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, node_id),
            ).launch()
        with tfx_metadata.Metadata(connection) as handle:
            found = metadata.node_result(handle.store, self._run_id, node_id)
        if launched is None or found is None or found.state not in metadata.GOOD_STATES:
            raise NodeFailed(node_id, 'its inputs are missing: an earlier node produced nothing')
        result = dataclasses.replace(found, seconds=time.monotonic() - started)
        self.results.append(result)
        self._narrator.ended(result)

    @contextlib.contextmanager
    def _named(self, node_id: str, connection: Any) -> Iterator[None]:
        """Says which node an exception came from, and tells a stop on request from a failure."""
        try:
            yield
        except Exception as error:
            if interruption.requested():
                with tfx_metadata.Metadata(connection) as handle:
                    metadata.mark_canceled(handle.store, self._run_id, node_id)
            raise NodeFailed(node_id, str(error) or type(error).__name__) from error
