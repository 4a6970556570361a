"""What was promoted, rolled back and pruned: executions in ML Metadata, written ahead.

An execution is recorded as RUNNING, with the whole plan, before a folder is touched, and ends as
COMPLETE or CANCELED. `thawline.Promotion` reads the Model artifact and produces an artifact
`thawline.ServedModel`, whose uri is the version folder; `thawline.Prune` reads the latter, which
are marked as deleted then.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.components.shared.deployments import PRODUCTION as PRODUCTION
from thawline.pipeline.metadata.lineage import PROMOTION, PRUNE, Execution, Lineage

SERVED = 'thawline.ServedModel'
STAGING = 'staging'
STAGES = (PRODUCTION, STAGING)
PROMOTE, ROLLBACK = 'promote', 'rollback'


@dataclasses.dataclass(frozen=True)
class Deployment:
    """A version that was, or will be, deployed to a stage.

    Attributes:
        action: PROMOTE or ROLLBACK.
        stage: PRODUCTION or STAGING.
        destination: folder or URL that holds the stage's versions.
        version: number of the version.
        model: id of the Model artifact.
        digest: of the files, see `model_fingerprint.Fingerprint`.
        size: bytes of them.
        source: where they were copied from.
        incoming: name of the hidden folder in which the version is prepared; empty where the
            destination has no renaming.
        who: user and host.
        reason: free text; may be empty.
        forced: objections that were overridden; may be empty.
        loaded: which TensorFlow loaded these files.
        replaced_model, replaced_version: what was served before; 0 for nothing.
        restores: id of the move whose model a rollback serves again; 0 for a promotion.
        id: of the execution; 0 before it is recorded.
        state: 'running', 'complete' or 'canceled'.
        when: it began.
    """

    action: str
    stage: str
    destination: str
    version: int
    model: int
    digest: str
    size: int
    source: str
    incoming: str
    who: str
    reason: str
    forced: str
    loaded: str
    replaced_model: int
    replaced_version: int
    restores: int
    id: int = 0
    state: str = 'running'
    when: datetime.datetime = datetime.datetime.min


@dataclasses.dataclass(frozen=True)
class Prune:
    """Versions of a stage that were, or will be, removed.

    Attributes:
        stage, destination, who, id, state, when: as for a `Deployment`.
        versions: numbers.
        removed: those that are gone; while it runs, none.
        hidden: suffix of folder names during removal.
    """

    stage: str
    destination: str
    who: str
    versions: tuple[int, ...]
    removed: tuple[int, ...]
    hidden: str
    id: int = 0
    state: str = 'running'
    when: datetime.datetime = datetime.datetime.min


# Not of the type: they are the execution's own.
_OWN = ('id', 'state', 'when')


def _fields(kind: type[Deployment] | type[Prune]) -> dict[str, str]:
    return {f.name: str(f.type) for f in dataclasses.fields(kind) if f.name not in _OWN}


def read_deployments(graph: Lineage) -> list[Deployment]:
    """All moves, oldest first."""
    return [_deployment(execution) for execution in graph.of_type(PROMOTION)]


def read_prunes(graph: Lineage) -> list[Prune]:
    """All prunes, oldest first."""
    return [_prune(execution) for execution in graph.of_type(PRUNE)]


def _deployment(execution: Execution) -> Deployment:
    fields = {
        name: execution.properties.get(name, 0 if kind == 'int' else '')
        for name, kind in _fields(Deployment).items()
    }
    return Deployment(**fields, id=execution.id, state=execution.state, when=execution.began)


def _prune(execution: Execution) -> Prune:
    fields: dict[str, Any] = {name: execution.properties.get(name, '') for name in _fields(Prune)}
    for name in ('versions', 'removed'):
        fields[name] = tuple(json.loads(fields[name] or '[]'))
    return Prune(**fields, id=execution.id, state=execution.state, when=execution.began)


def rollback_stack(
    deployments: Sequence[Deployment], stage: str, destination: str
) -> list[Deployment]:
    """Deployments that rollbacks would return to, step by step; the last is the current one.

    A promotion puts its model on top; a rollback takes the top away, for good. So rolling back
    twice goes back two steps, and what was promoted after a rollback lies on what that restored.
    The entries are the moves that first served each model there.
    """
    stack: list[Deployment] = []
    for deployment in _complete(deployments, stage, destination):
        if deployment.action == PROMOTE:
            stack.append(deployment)
        elif stack:
            stack.pop()
    return stack


def current(deployments: Sequence[Deployment], stage: str, destination: str) -> Deployment | None:
    """The newest complete deployment of a stage: the one that is served."""
    return next(reversed(_complete(deployments, stage, destination)), None)


def _complete(deployments: Sequence[Deployment], stage: str, destination: str) -> list[Deployment]:
    key = (stage, destination, 'complete')
    return [one for one in deployments if (one.stage, one.destination, one.state) == key]


def begin(
    store: mlmd.MetadataStore, intent: Deployment | Prune, pipeline: str | None = None
) -> int:
    """Records a change before it is made; returns the id of the execution."""
    kind = Deployment if isinstance(intent, Deployment) else Prune
    name = PROMOTION if kind is Deployment else PRUNE
    execution_type = pb.ExecutionType(name=name)
    for field, type_name in _fields(kind).items():
        execution_type.properties[field] = pb.INT if type_name == 'int' else pb.STRING
    type_id = store.put_execution_type(execution_type, can_add_fields=True, can_omit_fields=True)
    execution = pb.Execution(type_id=type_id, last_known_state=pb.Execution.RUNNING)
    _note(execution, intent)
    events = []
    if isinstance(intent, Deployment):
        model = store.get_artifacts_by_id([intent.model])[0]
        events.append((model, _event(pb.Event.INPUT, 'model')))
    context = store.get_context_by_type_and_name('pipeline', pipeline) if pipeline else None
    execution_id, _, _ = store.put_execution(execution, events, [context] if context else [])
    return execution_id


def complete(store: mlmd.MetadataStore, deployment: Deployment, uri: str) -> int:
    """Notes that the version is there; returns the id of its ServedModel artifact."""
    kind = pb.ArtifactType(name=SERVED)
    for name, of in (('digest', pb.STRING), ('stage', pb.STRING), ('version', pb.INT)):
        kind.properties[name] = of
    type_id = store.put_artifact_type(kind, can_add_fields=True, can_omit_fields=True)
    served = pb.Artifact(type_id=type_id, uri=uri, state=pb.Artifact.LIVE)
    served.properties['digest'].string_value = deployment.digest
    served.properties['stage'].string_value = deployment.stage
    served.properties['version'].int_value = deployment.version
    execution = store.get_executions_by_id([deployment.id])[0]
    execution.last_known_state = pb.Execution.COMPLETE
    _note(execution, deployment)
    pair = (served, _event(pb.Event.OUTPUT, 'served_model'))
    _, artifacts, _ = store.put_execution(execution, [pair], [])
    return artifacts[0]


def complete_prune(store: mlmd.MetadataStore, prune: Prune, removed: Collection[int]) -> None:
    """Records which versions were removed, on the prune and on their ServedModel artifacts."""
    execution = store.get_executions_by_id([prune.id])[0]
    execution.last_known_state = pb.Execution.COMPLETE if removed else pb.Execution.CANCELED
    _note(execution, dataclasses.replace(prune, removed=tuple(sorted(removed))))
    pairs = []
    for artifact in live_versions(store, prune.destination, removed):
        artifact.state = pb.Artifact.DELETED
        pairs.append((artifact, _event(pb.Event.INPUT, 'served_model')))
    store.put_execution(execution, pairs, [])


def cancel(store: mlmd.MetadataStore, execution_id: int) -> None:
    """Records that a change was undone."""
    execution = store.get_executions_by_id([execution_id])[0]
    execution.last_known_state = pb.Execution.CANCELED
    store.put_executions([execution])


def live_versions(
    store: mlmd.MetadataStore, destination: str, versions: Collection[int] | None = None
) -> list[pb.Artifact]:
    """ServedModel artifacts of a destination that were not removed; all, or of some versions."""
    try:
        artifacts = store.get_artifacts_by_type(SERVED)
    except mlmd.errors.NotFoundError:
        return []
    uris = None if versions is None else {version_uri(destination, version) for version in versions}
    return [
        artifact
        for artifact in artifacts
        if artifact.state == pb.Artifact.LIVE
        and artifact.uri.rpartition('/')[0] == destination.rstrip('/')
        and (uris is None or artifact.uri in uris)
    ]


def version_uri(destination: str, version: int) -> str:
    """The folder of a version."""
    return f'{destination.rstrip("/")}/{version}'


def _note(execution: pb.Execution, change: Deployment | Prune) -> None:
    values: Mapping[str, Any] = {name: getattr(change, name) for name in _fields(type(change))}
    for name, value in values.items():
        if isinstance(value, int):
            execution.properties[name].int_value = value
        else:
            text = json.dumps(value) if isinstance(value, tuple) else value
            execution.properties[name].string_value = text


def _event(kind: int, key: str) -> pb.Event:
    event = pb.Event(type=kind)  # The store adds the artifact that it is paired with.
    event.path.steps.add(key=key)
    event.path.steps.add(index=0)
    return event


def action(deployment: Deployment) -> str:
    """'promote' or 'rollback', with the objections that were overridden."""
    return deployment.action + (f', forced: {deployment.forced}' if deployment.forced else '')


def noun(change: Deployment | Prune) -> str:
    """'promotion', 'rollback' or 'prune'."""
    if isinstance(change, Prune):
        return 'prune'
    return 'promotion' if change.action == PROMOTE else change.action
