"""A project's registry as it is now: models, what was done with them, and where they are served."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import ml_metadata as mlmd

from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata import lineage
from thawline.pipeline.metadata.lineage import Lineage
from thawline.pipeline.metadata.stores import opening
from thawline.pipeline.registry import destinations, ledger, models
from thawline.pipeline.registry.destinations import Place
from thawline.pipeline.registry.ledger import STAGING, Move, Prune
from thawline.pipeline.registry.models import Model


@dataclasses.dataclass(frozen=True)
class Registry:
    """What the metadata and the folders of a project say.

    Attributes:
        pipeline: name of it.
        store: of the metadata.
        graph: all that it holds of the pipeline.
        models, moves, prunes: oldest first.
        places: by stage.
    """

    pipeline: str
    store: mlmd.MetadataStore
    graph: Lineage
    models: tuple[Model, ...]
    moves: tuple[Move, ...]
    prunes: tuple[Prune, ...]
    places: Mapping[str, Place]

    def model(self, id_: int) -> Model | None:
        """The model of an id."""
        return next((one for one in self.models if one.id == id_), None)

    def current(self, stage: str) -> Move | None:
        """The move that put there what a stage serves, by the ledger."""
        return ledger.current(self.moves, stage, self.places[stage].name)

    def stack(self, stage: str) -> list[Move]:
        """See `ledger.stack`."""
        return ledger.stack(self.moves, stage, self.places[stage].name)

    def owners(self, stage: str) -> dict[int, int]:
        """Version -> id of the model, for all that were ever put into the stage here."""
        found = models.staged(self.graph) if stage == STAGING else {}
        where = self.places[stage].name
        return found | {
            move.version: move.model
            for move in self.moves
            if (move.stage, move.destination, move.state) == (stage, where, 'complete')
        }

    @property
    def unfinished(self) -> tuple[Move | Prune, ...]:
        """What runs, or was killed."""
        both: tuple[Move | Prune, ...] = (*self.moves, *self.prunes)
        return tuple(one for one in both if one.state == 'running')


def read(project: Project) -> Registry:
    """The registry of a project.

    Raises:
        NotFound: nothing ran yet.
    """
    store = opening.open_store(project)
    found = lineage.read(store, project.name)
    return Registry(
        project.name,
        store,
        found,
        tuple(models.all_of(found)),
        tuple(ledger.moves(found)),
        tuple(ledger.prunes(found)),
        {stage: destinations.of(location) for stage, location in project.stages.items()},
    )
