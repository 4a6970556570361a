"""Deploys a version to a stage: records it, copies and verifies it, then makes it appear."""

from __future__ import annotations

import dataclasses
import pathlib
import secrets
import tempfile
import time
from collections.abc import Callable

from thawline.components.pusher.local_destination import INCOMING, LocalDestination
from thawline.components.shared import model_fingerprint
from thawline.components.shared.errors import ConfigError, NotFound, UserError
from thawline.components.shared.model_fingerprint import LocalFiles, ModelFiles
from thawline.pipeline.registry import integrity, ledger, load_test, lock
from thawline.pipeline.registry.destinations import Destination
from thawline.pipeline.registry.integrity import FileRecord
from thawline.pipeline.registry.ledger import PRODUCTION, STAGING, Deployment
from thawline.pipeline.registry.registry import Registry

OnProgress = Callable[[str, int, int], None]  # step, bytes done, bytes in all


@dataclasses.dataclass(frozen=True)
class DeploymentPlan:
    """A deployment to make.

    Attributes:
        action, stage, model, reason, forced, restores: as in `ledger.Deployment`.
        source: the files.
        replaces: what the stage must still serve; None for nothing.
        recorded: what the files must be; None for any, where that was not recorded.
    """

    action: str
    stage: str
    model: int
    source: ModelFiles
    replaces: Deployment | None
    reason: str = ''
    forced: str = ''
    restores: int = 0
    recorded: FileRecord | None = None


def next_version(registry: Registry, stage: str) -> int:
    """A number above all versions that the stage ever had; in staging a time, as Pusher uses."""
    place = registry.destinations[stage]
    numbers = [
        deployment.version
        for deployment in registry.deployments
        if deployment.destination == place.name
    ]
    numbers += registry.owners(stage)
    highest = max([0, *place.versions(), *numbers])
    return max(highest + 1, int(time.time())) if stage == STAGING else highest + 1


def deploy(registry: Registry, plan: DeploymentPlan, tell: OnProgress) -> Deployment:
    """Serves a model as the highest version of a stage; the caller holds the lock.

    Args:
        registry: read under the lock, with nothing unfinished.
        plan: what to serve.
        tell: reports progress.

    Raises:
        UserError: the stage no longer serves what the plan replaces, or the files cannot be copied
            or loaded, or are not as recorded; then nothing was changed.
    """
    _check_unchanged(registry, plan)
    place = registry.destinations[plan.stage]
    expected = model_fingerprint.fingerprint(plan.source)
    if plan.recorded:
        plan.recorded.check(plan.source.name, expected)
    before = plan.replaces
    deployment = Deployment(
        action=plan.action,
        stage=plan.stage,
        destination=place.name,
        version=next_version(registry, plan.stage),
        model=plan.model,
        digest=expected.digest,
        size=expected.size,
        source=plan.source.name,
        incoming='',
        who=lock.current_user(),
        reason=plan.reason,
        forced=plan.forced,
        loaded=load_test.tensorflow_version(),
        replaced_model=before.model if before else 0,
        replaced_version=before.version if before else 0,
        restores=plan.restores,
    )
    if place.renames:
        incoming = f'{INCOMING}{deployment.version}-{secrets.token_hex(4)}'
        deployment = dataclasses.replace(deployment, incoming=incoming)
    deployment = dataclasses.replace(
        deployment, id=ledger.begin(registry.store, deployment, registry.pipeline)
    )
    _put(registry, place, deployment, plan.source, tell)
    ledger.complete(registry.store, deployment, ledger.version_uri(place.name, deployment.version))
    return deployment


def _check_unchanged(registry: Registry, plan: DeploymentPlan) -> None:
    served = registry.current(plan.stage)
    if (served.id if served else 0) != (plan.replaces.id if plan.replaces else 0):
        assert served is not None, 'the ledger never loses entries'
        raise ConfigError(
            f'{plan.stage} has changed in the meantime: {served.who} deployed model '
            f'{served.model} as version {served.version}; check with thawline models and try again'
        )


def _put(
    registry: Registry,
    place: Destination,
    deployment: Deployment,
    source: ModelFiles,
    tell: OnProgress,
) -> None:
    """Copies, verifies and loads the files, then makes the version appear; all or nothing."""
    try:
        if _loaded_before(registry, deployment):
            _copy(place, deployment, source, tell)
        else:
            # TensorFlow takes seconds to import; the files are copied meanwhile.
            with load_test.LoadTest() as loader:
                _copy(place, deployment, source, tell)
                tell('loading the copy in a separate process', 0, 0)
                _load(loader, place.prepared(deployment.version, deployment.incoming), source)
        place.finish(source, deployment.version, deployment.incoming)
    except BaseException:
        if deployment.version not in place.versions():
            place.discard(deployment.version, deployment.incoming)
            ledger.cancel(registry.store, deployment.id)
        raise


def _copy(place: Destination, deployment: Deployment, source: ModelFiles, tell: OnProgress) -> None:
    written = place.prepare(
        source, deployment.version, deployment.incoming, _counter(tell, 'copying', deployment)
    )
    copy = place.prepared(deployment.version, deployment.incoming)
    verified = model_fingerprint.fingerprint(copy, _counter(tell, 'verifying', deployment))
    for fingerprint, name in ((written, source.name), (verified, copy.name)):
        if fingerprint.digest != deployment.digest:
            raise ConfigError(
                f'the files in {name} changed while they were copied (digest '
                f'{fingerprint.digest[:12]}, not {deployment.digest[:12]}); is something else '
                'writing there?'
            )


def _counter(tell: OnProgress, what: str, deployment: Deployment) -> model_fingerprint.Advance:
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        tell(what, done, deployment.size)

    return advance


def _loaded_before(registry: Registry, deployment: Deployment) -> bool:
    """Whether the same TensorFlow loaded the same bytes for an earlier deployment."""
    return any(
        (earlier.digest, earlier.loaded, earlier.state)
        == (deployment.digest, deployment.loaded, 'complete')
        for earlier in registry.deployments
    )


def _load(loader: load_test.LoadTest, copy: ModelFiles, source: ModelFiles) -> None:
    """Loads the copy, or its source, which has the same bytes, where the copy is remote."""
    local = next((files for files in (copy, source) if isinstance(files, LocalFiles)), None)
    if local is not None:
        loader.load(local.path)
        return
    with tempfile.TemporaryDirectory() as folder:
        place = LocalDestination(pathlib.Path(folder))
        place.prepare(source, 0, 'model', model_fingerprint.ignore_progress)
        loader.load(pathlib.Path(folder, 'model'))


def rollback_target(registry: Registry, stage: str = PRODUCTION) -> tuple[Deployment, Deployment]:
    """The current deployment, and the one that a rollback returns to.

    Raises:
        NotFound: there is no earlier one.
    """
    stack = registry.stack(stage)
    if not stack:
        raise NotFound(
            f'nothing was promoted to {registry.destinations[stage].name} yet; start with: '
            'thawline promote'
        )
    if len(stack) == 1:
        raise NotFound(
            f'no earlier model to return to: model {stack[0].model} is the first in {stage}'
        )
    return stack[-1], stack[-2]


def find_files(registry: Registry, deployment: Deployment) -> ModelFiles:
    """The files of a deployment, from any place that still has them.

    Raises:
        ConfigError: they have changed wherever they are.
        NotFound: they are gone.
    """
    place = registry.destinations[deployment.stage]
    versions = set(place.versions())
    same_files = [
        other.version
        for other in registry.deployments
        if other.state == 'complete'
        and other.digest == deployment.digest
        and other.destination == place.name
        and other.version in versions
    ]
    model = registry.model(deployment.model)
    folders = [pathlib.Path(deployment.source), *(model.folders if model else ())]
    candidates: list[ModelFiles] = [LocalFiles(path) for path in dict.fromkeys(folders)]
    candidates += [place.source(version) for version in reversed(same_files)]
    record, changed = integrity.of_deployment(registry, deployment), []
    for source in candidates:
        try:
            present = model_fingerprint.read(source)
        except UserError:
            continue  # the next may be whole
        changes = record.changes(present)
        if not changes:
            return source
        if present.files:
            changed.append(f'{source.name} ({changes})')
    if changed:
        raise ConfigError(
            f'the files of {record.what}, have changed: {", ".join(changed)}; restore one of these '
            'folders, or promote another model'
        )
    names = ', '.join(source.name for source in candidates)
    raise NotFound(
        f'the files of model {deployment.model}, version {deployment.version}, no longer exist; '
        f'looked in {names}'
    )
