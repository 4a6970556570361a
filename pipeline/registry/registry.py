"""A project's registry as it is now: models, their deployments, and where they are served."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping

import ml_metadata as mlmd

from thawline.components.pusher.local_destination import LocalDestination
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata import lineage
from thawline.pipeline.metadata.lineage import Lineage
from thawline.pipeline.metadata.stores import opening
from thawline.pipeline.registry import destinations, ledger, models
from thawline.pipeline.registry.destinations import Destination
from thawline.pipeline.registry.ledger import STAGING, Deployment, Prune
from thawline.pipeline.registry.models import Model


@dataclasses.dataclass(frozen=True)
class Registry:
    """The models of a project, their deployments, and where they are served.

    Attributes:
        pipeline: its name.
        store: of the metadata.
        lineage: of the pipeline.
        models, deployments, prunes: oldest first.
        destinations: by stage.
    """

    pipeline: str
    store: mlmd.MetadataStore
    lineage: Lineage
    models: tuple[Model, ...]
    deployments: tuple[Deployment, ...]
    prunes: tuple[Prune, ...]
    destinations: Mapping[str, Destination]

    def model(self, id_: int) -> Model | None:
        return next((model for model in self.models if model.id == id_), None)

    def current(self, stage: str) -> Deployment | None:
        """The deployment that a stage serves according to the ledger."""
        return ledger.current(self.deployments, stage, self.destinations[stage].name)

    def stack(self, stage: str) -> list[Deployment]:
        """See `ledger.rollback_stack`."""
        return ledger.rollback_stack(self.deployments, stage, self.destinations[stage].name)

    def owners(self, stage: str) -> dict[int, int]:
        """Version -> id of the model, for all versions that the stage ever had here."""
        pushes = models.pushes(self.lineage) if stage == STAGING else {}
        staged = {version: push.model for version, push in pushes.items()}
        where = self.destinations[stage].name
        return staged | {
            deployment.version: deployment.model
            for deployment in self.deployments
            if (deployment.stage, deployment.destination, deployment.state)
            == (stage, where, 'complete')
        }

    def stage_version(self, folder: pathlib.Path) -> tuple[str, int] | None:
        """The stage and the version that a folder is; None if it is none, or a remote one."""
        for stage, place in self.destinations.items():
            is_version = isinstance(place, LocalDestination) and (
                folder.parent == place.folder.resolve()
            )
            if is_version and folder.name.isdecimal():
                return stage, int(folder.name)
        return None

    @property
    def unfinished(self) -> tuple[Deployment | Prune, ...]:
        """Changes that are in progress or were interrupted."""
        changes: tuple[Deployment | Prune, ...] = (*self.deployments, *self.prunes)
        return tuple(change for change in changes if change.state == 'running')


def read(project: Project) -> Registry:
    """The registry of a project.

    Raises:
        NotFound: nothing ran yet.
    """
    store = opening.open_store(project)
    history = lineage.read(store, project.name)
    return Registry(
        project.name,
        store,
        history,
        tuple(models.read_models(history)),
        tuple(ledger.read_deployments(history)),
        tuple(ledger.read_prunes(history)),
        {
            stage: destinations.destination_at(location)
            for stage, location in project.stages.items()
        },
    )
