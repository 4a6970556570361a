"""The baseline is the latest blessed model before the candidate, on real TFX artifacts."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from tfx import types
from tfx.types import standard_artifacts

from thawline.components.evaluation import baseline

Artifacts = list[types.Artifact]
# TFX hands the strategy a store, which this one does not ask.
NO_STORE: Any = None


def model(artifact_id: int) -> types.Artifact:
    artifact = standard_artifacts.Model()
    artifact.id = artifact_id
    return artifact


def blessing(artifact_id: int, model_id: int, blessed: bool) -> types.Artifact:
    artifact = standard_artifacts.ModelBlessing()
    artifact.id = artifact_id
    artifact.set_int_custom_property('blessed', int(blessed))
    artifact.set_int_custom_property('current_model_id', model_id)
    return artifact


def resolve(candidate: Artifacts, models: Artifacts, blessings: Artifacts) -> tuple[list[int], ...]:
    """Ids of the model and the blessing that were resolved."""
    inputs = {'candidate': candidate, 'model': models, 'model_blessing': blessings}
    resolved = baseline.EarlierBlessedModelStrategy().resolve_artifacts(NO_STORE, inputs)
    assert resolved is not None
    assert resolved.keys() == inputs.keys()
    assert resolved['candidate'] == candidate
    return [a.id for a in resolved['model']], [a.id for a in resolved['model_blessing']]


def test_latest_earlier_blessed_model_whatever_the_order() -> None:
    models = [model(i) for i in (1, 3, 5, 7)]
    blessings = [
        blessing(2, 1, True), blessing(4, 3, True), blessing(6, 5, False), blessing(8, 7, True)
    ]  # fmt: skip
    for some_models, some in itertools.product(
        itertools.permutations(models, 4), (blessings, blessings[::-1])
    ):
        assert resolve([models[3]], list(some_models), list(some)) == ([3], [4])


def test_never_the_candidate_itself() -> None:
    """A run served from the cache: the candidate was blessed by the run before."""
    assert resolve([model(1)], [model(1)], [blessing(2, 1, True)]) == ([], [])


def test_later_model_is_no_baseline() -> None:
    """The candidate of an older configuration, from the cache, after a newer one was blessed."""
    models = [model(1), model(5), model(9)]
    blessings = [blessing(2, 1, True), blessing(10, 9, True)]
    assert resolve([models[1]], models, blessings) == ([1], [2])


@pytest.mark.parametrize('blessings', [[], [blessing(2, 1, False)]])
def test_nothing_blessed_gives_empty_lists(blessings: Artifacts) -> None:
    assert resolve([model(3)], [model(1), model(3)], blessings) == ([], [])
    assert resolve([model(3)], [], []) == ([], [])


def test_blessing_of_a_model_that_is_gone_is_passed_over() -> None:
    blessings = [blessing(2, 1, True), blessing(4, 3, True)]
    assert resolve([model(5)], [model(1), model(5)], blessings) == ([1], [2])


def test_without_a_candidate_there_is_no_baseline() -> None:
    assert resolve([], [model(1)], [blessing(2, 1, True)]) == ([], [])
