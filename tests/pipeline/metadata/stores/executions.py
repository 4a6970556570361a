"""Records as TFX and the registry write them."""

from __future__ import annotations

from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.pipeline.registry import ledger


def put(store, pipeline: str, run: str, node: str, inputs=(), **outputs: str) -> dict[str, int]:
    """One complete execution of a node, as TFX writes it; returns ids of its outputs."""
    contexts = []
    for kind, name in (
        ('pipeline', pipeline),
        ('pipeline_run', run),
        ('node', f'{pipeline}.{node}'),
    ):
        kind_id = store.put_context_type(pb.ContextType(name=kind))
        contexts.append(
            store.get_context_by_type_and_name(kind, name) or pb.Context(type_id=kind_id, name=name)
        )
    pairs = []
    for id_ in inputs:
        event = pb.Event(type=pb.Event.INPUT, artifact_id=id_)
        event.path.steps.add(key='model')
        pairs.append((store.get_artifacts_by_id([id_])[0], event))
    for key, uri in outputs.items():
        kind_id = store.put_artifact_type(pb.ArtifactType(name=key))
        event = pb.Event(type=pb.Event.OUTPUT)
        event.path.steps.add(key=key)
        pairs.append((pb.Artifact(type_id=kind_id, uri=uri), event))
    execution = pb.Execution(
        type_id=store.put_execution_type(pb.ExecutionType(name=node)),
        last_known_state=pb.Execution.COMPLETE,
    )
    _, ids, _ = store.put_execution(execution, pairs, contexts, reuse_context_if_already_exist=True)
    return dict(zip(outputs, ids[len(inputs) :], strict=True))


def move(model: int, destination: str) -> ledger.Deployment:
    return ledger.Deployment(
        'promote', 'production', destination, 1, model, 'd', 3_000_000_000, '/s', '', 'a@b',
        'C:\\why "so"', '', 'TF', 0, 0, 0,
    )  # fmt: skip
