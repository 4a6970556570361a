"""Whether the files of a model are still those that were judged or put into a stage.

The metadata have the digest, records beside the artifacts each file. Early versions recorded less:
what was never recorded cannot be checked, which is said and stops nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator

from thawline.components.shared import model_fingerprint, node_names
from thawline.components.shared.errors import ConfigError, DataError, NotFound, UserError
from thawline.components.shared.model_fingerprint import FileChanges, Fingerprint, LocalFiles
from thawline.components.shared.property_names import MODEL_DIGEST
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata.runs import Output
from thawline.pipeline.registry import models
from thawline.pipeline.registry import registry as registry_lib
from thawline.pipeline.registry.ledger import STAGING, Deployment
from thawline.pipeline.registry.models import Model
from thawline.pipeline.registry.registry import Registry

_SHOWN = 12  # of a digest


@dataclasses.dataclass(frozen=True)
class FileRecord:
    """What was recorded of a folder.

    Attributes:
        model: which it holds.
        digest: of all files.
        what: 'model 5 that the Evaluator judged'.
        way_out: what helps where the files differ.
    """

    model: Model | None
    digest: str
    what: str
    way_out: str

    def changes(self, present: Fingerprint) -> str:
        """How the files differ from the record; empty where they do not."""
        if present.digest == self.digest:
            return ''
        recorded = _every_file(self.model, self.digest) if self.model else None
        if recorded is None:
            return f'the digest is {present.digest[:_SHOWN]}, not {self.digest[:_SHOWN]}'
        return str(FileChanges.between(recorded, present))

    def check(self, name: str, present: Fingerprint) -> None:
        """Refuses files that differ.

        Raises:
            ConfigError: they do; it names them.
        """
        if changes := self.changes(present):
            raise ConfigError(f'{name} is no longer {self.what}: {changes}; {self.way_out}')


def _every_file(model: Model, digest: str) -> Fingerprint | None:
    """The files with this digest; None where neither a record nor a folder has them any more."""
    for output in (model.serving_record, model.evaluation):
        with contextlib.suppress(OSError, DataError):
            if output and (recorded := Fingerprint.read(output.uri)).digest == digest:
                return recorded
    for folder in model.folders:
        with contextlib.suppress(UserError):
            if (present := model_fingerprint.read(LocalFiles(folder))).digest == digest:
                return present
    return None


def of_trained(model: Model) -> FileRecord | None:
    """What the Evaluator recorded; None where it did not."""
    what = f'model {model.id} that the Evaluator judged'
    return _of_node(model, model.evaluation, what, node_names.TRAINER)


def of_exported(model: Model) -> FileRecord | None:
    """What the serving check recorded; None where it did not."""
    what = f'the export of model {model.id} that the serving check asked'
    return _of_node(model, model.serving_record, what, node_names.EXPORTER)


def of_served_form(model: Model) -> FileRecord | None:
    """Of the form that is promoted."""
    return of_exported(model) if model.exported else of_trained(model)


def _of_node(model: Model, output: Output | None, what: str, node: str) -> FileRecord | None:
    digest = str(output.properties.get(MODEL_DIGEST, '')) if output else ''
    again = f'restore its files, or make it again with: thawline run --from {node} --no-cache'
    return FileRecord(model, digest, what, again) if digest else None


def of_deployment(registry: Registry, deployment: Deployment) -> FileRecord:
    """What was promoted, or restored by a rollback."""
    what = f'model {deployment.model}, version {deployment.version} of {deployment.stage}'
    way_out = _put_again(deployment.stage, deployment.model)
    return FileRecord(registry.model(deployment.model), deployment.digest, what, way_out)


def of_version(registry: Registry, stage: str, version: int) -> FileRecord | None:
    """What was put into a stage as a version; None where that was not recorded."""
    where = registry.destinations[stage].name
    for deployment in reversed(registry.deployments):
        place = (deployment.stage, deployment.destination, deployment.version)
        if place == (stage, where, version) and deployment.state != 'canceled':
            return of_deployment(registry, deployment)
    push = models.pushes(registry.lineage).get(version) if stage == STAGING else None
    if push is None or not push.digest:
        return None
    what = f'model {push.model}, version {version} of {stage}'
    way_out = _put_again(stage, push.model)
    return FileRecord(registry.model(push.model), push.digest, what, way_out)


def _put_again(stage: str, model: int) -> str:
    to = ' --to staging' if stage == STAGING else ''
    return f'put it there again with: thawline promote {model}{to}'


def is_known(registry: Registry, digest: str) -> bool:
    """Whether files with this digest were judged or deployed, under whatever name.

    A push is recorded after its version appears, which a server may see first.
    """
    return digest in {
        *(deployment.digest for deployment in registry.deployments),
        *(push.digest for push in models.pushes(registry.lineage).values()),
        *(
            record.digest
            for model in registry.models
            for record in (of_trained(model), of_exported(model))
            if record
        ),
    }


def _records(registry: Registry, folder: pathlib.Path) -> Iterator[FileRecord | None]:
    """The records of the places that a folder is."""
    if place := registry.stage_version(folder):
        yield of_version(registry, *place)
    for model in registry.models:
        if model.exported and folder == models.saved_model(model.exported.uri).resolve():
            yield of_exported(model)
        if folder == models.saved_model(model.uri).resolve():
            yield of_trained(model)


def check_folder(project: Project, folder: pathlib.Path) -> str:
    """Refuses a SavedModel that is about to answer and is not what was recorded.

    Returns:
        Why it cannot be checked; empty where its files are as recorded.

    Raises:
        ConfigError: they are not; it names them.
        UserError: the folder cannot be read.
    """
    present = model_fingerprint.fingerprint(LocalFiles(folder))
    unknown = f'no record of the files in {folder}: they cannot be checked'
    try:
        registry = registry_lib.read(project)
    except NotFound:  # nothing ran here: the model is from elsewhere
        return unknown
    except UserError as error:  # a server that is away says nothing against the model
        return f'the files in {folder} cannot be checked: {error}'
    record = next(filter(None, _records(registry, folder.resolve())), None)
    if record is not None:
        record.check(str(folder), present)
        return ''
    return '' if is_known(registry, present.digest) else unknown
