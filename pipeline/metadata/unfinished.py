"""Executions of nodes that have not ended by their records."""

from __future__ import annotations

import dataclasses

import ml_metadata as mlmd

from thawline.pipeline.metadata import execution_states, runs
from thawline.pipeline.system.process_identity import ProcessIdentity


@dataclasses.dataclass(frozen=True)
class UnfinishedExecution:
    """One of them.

    Attributes:
        id: number of the execution.
        run: its run.
        node: its node.
        process: that runs it; None where that was not recorded.
    """

    id: int
    run: str
    node: str
    process: ProcessIdentity | None


def read_unfinished(store: mlmd.MetadataStore, pipeline: str) -> list[UnfinishedExecution]:
    """Of the nodes of a pipeline, oldest first."""
    unfinished = []
    for context in runs.contexts_of_type(store, 'node'):
        if not context.name.startswith(f'{pipeline}.'):
            continue
        for execution in store.get_executions_by_context(context.id):
            if not execution_states.is_unfinished(execution):
                continue
            names = {c.type: c.name for c in store.get_contexts_by_execution(execution.id)}
            unfinished.append(
                UnfinishedExecution(
                    execution.id,
                    names.get('pipeline_run', ''),
                    context.name.removeprefix(f'{pipeline}.'),
                    execution_states.process(execution),
                )
            )
    return sorted(unfinished, key=lambda execution: execution.id)
