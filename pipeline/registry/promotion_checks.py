"""Objections to serving a model."""

from __future__ import annotations

import dataclasses

from thawline.components.evaluation.gate.class_change import ClassChange
from thawline.components.shared import model_fingerprint
from thawline.components.shared.errors import ConfigError, NotFound
from thawline.components.shared.model_fingerprint import LocalFiles
from thawline.components.shared.text import abbreviate
from thawline.pipeline.registry import integrity
from thawline.pipeline.registry.models import Model
from thawline.pipeline.registry.registry import Registry


@dataclasses.dataclass(frozen=True)
class Objection:
    """A reason not to serve a model; `short` is recorded when somebody overrides it."""

    short: str
    sentence: str


def objections(model: Model) -> list[Objection]:
    """Objections that `--force` overrides."""
    reasons = []
    if model.blessed is None:
        reasons.append(Objection('never evaluated', f'model {model.id} was never evaluated'))
    elif not model.blessed:
        reasons.append(
            Objection(
                'not blessed',
                f'model {model.id} was not blessed by the Evaluator '
                f'(thawline report {model.run} says why)',
            )
        )
    properties = model.serving_record.properties if model.serving_record else {}
    if model.infra_blessed is False and properties.get('checked', 1):  # unblessed ones are skipped
        problems = f': {properties["problems"]}' if properties.get('problems') else ''
        reasons.append(
            Objection(
                'failed the serving check',
                f'model {model.id} failed the serving check{problems}',
            )
        )
    elif model.exporter is not None and model.infra_blessed is None:
        reasons.append(
            Objection(
                'no serving check',
                f'the export of model {model.id} has had no serving check',
            )
        )
    return reasons


def class_change(registry: Registry, model: Model, stage: str) -> ClassChange:
    """How the answers of a stage would change; nothing where one of the models is unknown."""
    current = registry.current(stage)
    served = registry.model(current.model) if current else None
    before, now = _classes(served), _classes(model)
    if before is None or now is None:
        return ClassChange((), ())
    return ClassChange.between(before, now)


def _classes(model: Model | None) -> tuple[str, ...] | None:
    if model is None or model.folder is None:
        return None
    from thawline.components.saved_model import card  # with SciPy, which other commands do without

    try:
        return card.read(model.folder).classes
    except (OSError, ValueError, KeyError):
        return None  # of an early version, or another maker


def _class_objections(registry: Registry, model: Model, stage: str) -> list[Objection]:
    removed = class_change(registry, model, stage).removed
    if not removed:
        return []
    names = abbreviate(map(repr, removed), 5)
    return [
        Objection(
            f'no longer knows {names}',
            f'model {model.id} no longer knows {names}, which the model in {stage} answers',
        )
    ]


def check_promotion(registry: Registry, model: Model, stage: str, force: bool, reason: str) -> str:
    """Refuses a model that must not be served: also, and whatever is forced, one that was changed.

    Returns:
        The overridden objections, to be recorded; may be empty.

    Raises:
        UserError: an objection is not, or cannot be, overridden.
    """
    if force and not reason.strip():
        raise ConfigError('--force requires --reason "...", which is recorded permanently')
    if model.folder is None:
        raise NotFound(
            f'the files of model {model.id} are gone from {model.folders[0]}; train it again with: '
            'thawline run'
        )
    present = model_fingerprint.fingerprint(LocalFiles(model.folder))
    if record := integrity.of_served_form(model):
        record.check(str(model.folder), present)
    place, recorded = registry.destinations[stage], registry.current(stage)
    highest = max(place.versions(), default=0)
    # The same model may be promoted again with other exports, or after its version was removed or
    # changed: what lies there counts, as it does for a push.
    if (
        registry.owners(stage).get(highest) == model.id
        and (recorded is None or recorded.version <= highest)
        and model_fingerprint.fingerprint(place.source(highest)).digest == present.digest
    ):
        raise ConfigError(f'model {model.id} is already in {stage}, as version {highest}')
    against = [*objections(model), *_class_objections(registry, model, stage)]
    if against and not force:
        raise ConfigError(
            f'{"; ".join(objection.sentence for objection in against)}; to promote it anyway: '
            '--force --reason "...", which is recorded permanently'
        )
    return ', '.join(objection.short for objection in against)
