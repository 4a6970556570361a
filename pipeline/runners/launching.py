"""Launches nodes of a compiled pipeline in this process; shared by all runners.

In addition to TFX's launcher: an exception names its node, unresolved inputs are an error (the
launcher returns normally), and every attempt at a node is a new execution. The launcher would
resume the failed execution of a node, with the inputs recorded then, or none, and with whatever a
killed process left in the folders of its outputs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import pathlib
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, Self

from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.components.shared import metadata_store, node_names
from thawline.pipeline import tfx_imports  # noqa: F401 - before TFX
from thawline.pipeline.config.project import REGISTRY_LOCK
from thawline.pipeline.engines.beam_operator import EngineOperator
from thawline.pipeline.engines.engine import Engine
from thawline.pipeline.metadata import annotations as recording
from thawline.pipeline.metadata import execution_states, runs
from thawline.pipeline.metadata.runs import NodeResult
from thawline.pipeline.metadata.stores import connection
from thawline.pipeline.runners import cache_keys, compiled_file
from thawline.pipeline.runners.failures import InputsMissing, NodeFailed
from thawline.pipeline.system import file_locks, signals
from thawline.pipeline.system.process_identity import ProcessIdentity

from google.protobuf import json_format  # isort: skip - after tfx_imports
from tfx.dsl.compiler import constants  # isort: skip
from tfx.dsl.components.common import resolver  # isort: skip
from tfx.orchestration import metadata as tfx_metadata  # isort: skip
from tfx.orchestration import node_proto_view  # isort: skip
from tfx.orchestration.local import runner_utils  # isort: skip
from tfx.orchestration.portable import launcher  # isort: skip
from tfx.orchestration.portable import partial_run_utils  # isort: skip
from tfx.orchestration.portable import runtime_parameter_utils  # isort: skip
from tfx.proto.orchestration import executable_spec_pb2, pipeline_pb2  # isort: skip

_RESOLVER = resolver.Resolver.get_class_type()


class RunMetadata(tfx_metadata.Metadata):
    """The metadata as nodes of one run see it: without superseded executions of that run.

    Otherwise, later nodes would use the results of all executions of a node.
    """

    def __init__(self, connection: Any, run_id: str) -> None:
        super().__init__(connection)
        self._run_id = run_id

    def __enter__(self) -> Self:
        """As the base class, which knows no store but ML Metadata's own."""
        self._store = metadata_store.open_store(self._connection_config)
        self._users += 1
        return self

    @property
    def store(self) -> Any:
        """Takes the place of `ml_metadata.MetadataStore`."""
        return _RunStore(super().store, self._run_id)


class _RunStore:
    """Passes everything on except what concerns the executions of a run."""

    def __init__(self, store: Any, run_id: str) -> None:
        self._store, self._run_id = store, run_id

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def get_executions_by_context(self, context_id: int, *args: Any, **kwargs: Any) -> list[Any]:
        """Without superseded ones if the context is the run; elsewhere they count."""
        executions = self._store.get_executions_by_context(context_id, *args, **kwargs)
        run = self._store.get_context_by_type_and_name(
            constants.PIPELINE_RUN_CONTEXT_TYPE_NAME, self._run_id
        )
        is_run = run is not None and run.id == context_id
        return _without_superseded(executions) if is_run else executions

    def put_execution(self, execution: pb.Execution, *args: Any, **kwargs: Any) -> Any:
        """The launcher's own way to begin and to end one; says which process runs it."""
        if execution_states.is_unfinished(execution):
            own = ProcessIdentity.own().text
            execution.custom_properties[execution_states.PROCESS].string_value = own
        return self._store.put_execution(execution, *args, **kwargs)

    def get_executions(self, *args: Any, **kwargs: Any) -> list[Any]:
        """The launcher's own way to the executions of a node in a run."""
        return _without_superseded(self._store.get_executions(*args, **kwargs))


def _without_superseded(executions: list[Any]) -> list[Any]:
    return [execution for execution in executions if not execution_states.is_superseded(execution)]


class CompiledRun:
    """A compiled pipeline that is bound to a run."""

    def __init__(
        self,
        compiled: pipeline_pb2.Pipeline,
        run_id: str,
        engine: Engine | None = None,
        placeholders: Mapping[str, str] | None = None,
    ) -> None:
        """Binds a pipeline in place.

        Args:
            compiled: the pipeline.
            run_id: names the run in the metadata.
            engine: runs Beam nodes; None: this process does.
            placeholders: for folders of the project, which may be moved, in the nodes' keys.
        """
        self._placeholders = placeholders or {}
        self._definitions = compiled_file.node_digests(
            json_format.MessageToDict(compiled), self._placeholders
        )
        runtime_parameter_utils.substitute_runtime_parameter(
            compiled, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: run_id}
        )
        self.run_id = run_id
        self._compiled = compiled
        self._operators: dict[Any, Any] = {}
        if engine is not None:
            operator = functools.partial(EngineOperator, engine)
            self._operators[executable_spec_pb2.BeamExecutableSpec] = operator
        self._deployment = runner_utils.extract_local_deployment_config(compiled)
        config = self._deployment.metadata_connection_config
        database = getattr(config, config.WhichOneof('connection_config'))
        self._connection = connection.with_password(database)  # with the password, if it needs one
        self._nodes = {
            node.pipeline_node.node_info.id: node.pipeline_node for node in compiled.nodes
        }

    @property
    def upstream(self) -> dict[str, tuple[str, ...]]:
        """Nodes before each node, in an order in which they can run."""
        return {name: tuple(node.upstream_nodes) for name, node in self._nodes.items()}

    @property
    def pipeline(self) -> str:
        """Name of the pipeline."""
        return str(self._compiled.pipeline_info.id)

    @property
    def selected(self) -> list[str]:
        """Nodes that are to run, in order: all but those that a partial run leaves out."""
        return [
            name
            for name, node in self._nodes.items()
            if not node.execution_options.HasField('skip')
        ]

    @property
    def reused(self) -> list[str]:
        """Nodes that are left out and whose results are needed, in order."""
        required = pipeline_pb2.NodeExecutionOptions.Skip.REQUIRED
        return [
            name
            for name, node in self._nodes.items()
            if node.execution_options.skip.reuse_artifacts_mode == required
        ]

    @property
    def definitions(self) -> Mapping[str, str]:
        """A digest of what each node is; see `compiled_file.node_digests`."""
        return self._definitions

    def select(self, first: tuple[str, ...], last: tuple[str, ...]) -> None:
        """Leaves out nodes before `first` and after `last`.

        What a resolver found for an earlier run is out of date when there is something newer, so
        those right before a node that runs are asked again.
        """
        nodes = partial_run_utils.make_ordered_node_map(
            node_proto_view.get_view_for_all_in(self._compiled)
        )
        chosen = partial_run_utils.compute_nodes_to_run(nodes, first or nodes, last or nodes, ())
        before = {name for node in chosen for name in self._nodes[node].upstream_nodes}
        asked = [name for name in before if self._nodes[name].node_info.type.name == _RESOLVER]
        partial_run_utils.mark_pipeline(
            self._compiled, from_nodes=(*first, *asked) if first else None, to_nodes=last or None
        )

    def reuse(self, base: str) -> None:
        """Takes the results of the nodes in `reused` from a run."""
        settings = self._compiled.runtime_spec.snapshot_settings
        settings.base_pipeline_run_strategy.base_run_id = base

    def metadata(self) -> RunMetadata:
        """The metadata; a context manager that returns a handle with a `store`."""
        return RunMetadata(self._connection, self.run_id)

    def launch(self, name: str, use_cache: bool = True) -> NodeResult:
        """Runs a node, or takes its result from the cache.

        Raises:
            InputsMissing: its inputs are missing.
            NodeFailed: it raised.
        """
        node = self._nodes[name]
        if not use_cache:
            node.execution_options.caching_options.enable_cache = False
        started = time.monotonic()
        with (
            self._node_errors(name),
            _push_lock(node),
            _without_arguments(),
            cache_keys.with_placeholders(self._placeholders),
            metadata_store.lend(self._connection),
        ):
            with self.metadata() as handle:
                if node.execution_options.run.perform_snapshot:
                    partial_run_utils.snapshot(handle, self._compiled)
                    base = self._compiled.runtime_spec.snapshot_settings.base_pipeline_run_strategy
                    recording.mark_reused(
                        handle.store, self.run_id, base.base_run_id, self.pipeline
                    )
                before = runs.read_attempts(handle.store, self.run_id, self.pipeline).get(name)
                if before is not None:
                    recording.mark_superseded(handle.store, before.id)
            launcher.Launcher(
                pipeline_node=node,
                mlmd_connection=self.metadata(),
                pipeline_info=self._compiled.pipeline_info,
                pipeline_runtime_spec=self._compiled.runtime_spec,
                executor_spec=runner_utils.extract_executor_spec(self._deployment, name),
                custom_driver_spec=runner_utils.extract_custom_driver_spec(self._deployment, name),
                custom_executor_operators=self._operators,
            ).launch()
        with self.metadata() as handle:
            recording.join_run(handle.store, self.run_id, self.pipeline)
            result = runs.node_result(handle.store, self.run_id, name, self.pipeline)
            if result is None or result.state not in execution_states.SUCCESS_STATES:
                recording.mark_not_run(handle.store, self.run_id, name, self.pipeline)
                raise InputsMissing(
                    name, 'its inputs are missing: an earlier node produced nothing'
                )
            recording.mark_definition(
                handle.store, self.run_id, name, self._definitions[name], self.pipeline
            )
        return dataclasses.replace(result, seconds=time.monotonic() - started)

    @contextlib.contextmanager
    def _node_errors(self, name: str) -> Iterator[None]:
        """Names the node of an exception, and records a requested stop as canceled, not failed."""
        try:
            yield
        except Exception as error:
            if signals.is_stop_requested():
                with self.metadata() as handle:
                    recording.mark_canceled(handle.store, self.run_id, name, self.pipeline)
            raise NodeFailed(name, str(error) or type(error).__name__) from error


def from_json(
    compiled: Mapping[str, Any],
    run_id: str,
    engine: Engine | None = None,
    placeholders: Mapping[str, str] | None = None,
) -> CompiledRun:
    """Binds a pipeline in the form of JSON to a run."""
    pipeline = json_format.ParseDict(compiled, pipeline_pb2.Pipeline())
    return CompiledRun(pipeline, run_id, engine, placeholders)


@contextlib.contextmanager
def _without_arguments() -> Iterator[None]:
    """TFX passes the process's arguments to Beam, which may parse one as its own option."""
    kept, sys.argv = sys.argv, sys.argv[:1]
    try:
        yield
    finally:
        sys.argv = kept


@contextlib.contextmanager
def _push_lock(node: pipeline_pb2.PipelineNode) -> Iterator[None]:
    """Lets one process at a time change what is served: of runs, and of the registry's commands."""
    if node.node_info.id != node_names.PUSHER:
        yield
        return
    staging = pathlib.Path(node.parameters.parameters['staging'].field_value.string_value)
    path, note = staging.with_name(REGISTRY_LOCK), f'a run (process {os.getpid()})'
    with file_locks.lock(path, note, wait=True):
        yield
