"""What runners record of a run in addition to TFX; `execution_states` and `runs` read it."""

from __future__ import annotations

import contextlib

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.pipeline.metadata import execution_states, runs


def mark_canceled(store: mlmd.MetadataStore, run_id: str, node: str, pipeline: str) -> None:
    """Records that the node's execution was stopped on request and did not fail."""
    execution = runs.newest_executions(store, run_id, pipeline).get(node)
    unfinished = (pb.Execution.FAILED, pb.Execution.RUNNING)
    if execution is not None and execution.last_known_state in unfinished:
        execution.last_known_state = pb.Execution.CANCELED
        store.put_executions([execution])


def mark_not_run(store: mlmd.MetadataStore, run_id: str, node: str, pipeline: str) -> None:
    """Records that the node did not run, for lack of inputs, although it has an execution."""
    execution = runs.newest_executions(store, run_id, pipeline).get(node)
    if execution is not None:
        execution.custom_properties[execution_states.LACKED_INPUTS].int_value = 1
        store.put_executions([execution])


def mark_superseded(store: mlmd.MetadataStore, attempt: int) -> None:
    """Records that an execution no longer counts for its run, since the node runs again.

    One that is still running was killed: no other process runs the node.
    """
    (execution,) = store.get_executions_by_id([attempt])
    if execution_states.is_unfinished(execution):
        execution.last_known_state = pb.Execution.FAILED
    execution.custom_properties[execution_states.SUPERSEDED].int_value = 1
    store.put_executions([execution])


def mark_killed(store: mlmd.MetadataStore, attempt: int) -> None:
    """Records that the process of an execution ended without a word."""
    (execution,) = store.get_executions_by_id([attempt])
    if execution_states.is_unfinished(execution):
        execution.last_known_state = pb.Execution.CANCELED
        execution.custom_properties[execution_states.WAS_KILLED].int_value = 1
        store.put_executions([execution])


def mark_definition(
    store: mlmd.MetadataStore, run_id: str, node: str, definition: str, pipeline: str
) -> None:
    """Records the digest of the node as it was compiled; see `runs.Attempt`."""
    execution = runs.newest_executions(store, run_id, pipeline)[node]
    execution.custom_properties[execution_states.DEFINITION].string_value = definition
    store.put_executions([execution])


def mark_reused(store: mlmd.MetadataStore, run_id: str, base: str, pipeline: str) -> None:
    """Records of the results that a partial run took over from its base what made them there."""
    before = runs.newest_executions(store, base, pipeline)
    taken = runs.newest_executions(store, run_id, pipeline)
    for node, execution in taken.items():
        definition = before[node].custom_properties[execution_states.DEFINITION].string_value
        execution.custom_properties[execution_states.DEFINITION].string_value = definition
        execution.custom_properties[execution_states.REUSED].string_value = base
    store.put_executions(list(taken.values()))


def join_run(store: mlmd.MetadataStore, run_id: str, pipeline: str) -> None:
    """Makes a run one of its pipeline's, even if another pipeline had a run of that id before.

    TFX links only the pipeline that creates the context of a run, and a partial run of any other
    pipeline would then find no run to start from.
    """
    run = store.get_context_by_type_and_name('pipeline_run', run_id)
    parent = store.get_context_by_type_and_name('pipeline', pipeline)
    if run is not None and parent is not None:
        with contextlib.suppress(mlmd.errors.AlreadyExistsError):
            store.put_parent_contexts([pb.ParentContext(child_id=run.id, parent_id=parent.id)])
