"""The accuracy in production of a model of the registry, beside what the gate asked of it."""

from __future__ import annotations

import dataclasses
import pathlib

from thawline.components.evaluation.gate.record import Verdict
from thawline.components.shared import property_names
from thawline.components.shared.errors import DataError
from thawline.pipeline.recording import accuracy, recorded_folder
from thawline.pipeline.recording.accuracy import ProductionAccuracy
from thawline.pipeline.registry.models import Model

_RULE = 'val_accuracy'


def of_model(model: Model, folder: pathlib.Path) -> ProductionAccuracy | None:
    """By the answers that the model gave, under whatever version.

    Args:
        model: whose answers.
        folder: of new images; None is returned where no server has recorded into it.

    Raises:
        DataError: a recorded file is damaged.
    """
    if not recorded_folder.is_recorded(folder):
        return None
    measured = accuracy.measure(folder, model.id)
    if measured is None or model.evaluation is None:
        return measured
    lower = model.evaluation.properties.get(property_names.lower('val'))
    return dataclasses.replace(
        measured,
        asked=_asked(model),
        val_lower=float(lower) if isinstance(lower, int | float) else None,
    )


def _asked(model: Model) -> float | None:
    assert model.evaluation is not None
    try:
        rules = Verdict.read(model.evaluation.uri).rules
    except (OSError, DataError):
        return None
    return next((rule.bound for rule in rules if rule.name == _RULE), None)
