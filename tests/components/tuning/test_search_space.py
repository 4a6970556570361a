"""The space: the present settings are in it and first, and every point of it is a training."""

from __future__ import annotations

from typing import Any

import hypothesis
import keras_tuner
import pytest
from hypothesis import strategies as st

from thawline.components.shared.errors import ConfigError
from thawline.components.training import params, tuned_settings
from thawline.components.tuning import search_space

BASE = tuned_settings.base_name('mobilenet_v2', 96)

SETTINGS = st.builds(
    params.Training,
    mode=st.sampled_from(['fine_tune', 'probe']),
    augmentation=st.sampled_from(
        ['auto', 'trivial', *search_space.AUGMENTATIONS, *search_space.ANY_ORIENTATION]
    ),
    class_weights=st.sampled_from(['none', 'balanced']),
    fine_tune=st.builds(
        params.FineTune,
        blocks=st.one_of(st.just('all'), st.integers(1, 40)),
        learning_rate=st.floats(1e-6, 1.0),
        block_decay=st.floats(0.01, 1.0),
    ),
)
WEIGHTS = st.sampled_from(['none', 'balanced'])


def changes(values: dict[str, Any], current: dict[str, Any]) -> dict[str, Any]:
    """The settings that differ from the current ones."""
    return {
        name: values[name]
        for name in tuned_settings.NAMES
        if name in values and values[name] != current[name]
    }


@hypothesis.given(SETTINGS, st.integers(1, 25), st.integers(1, 9), st.integers(0, 99), WEIGHTS)
def test_every_candidate_round_trips_through_the_artifact(
    settings: params.Training, blocks: int, count: int, seed: int, weights: str
) -> None:
    space = search_space.space(settings, blocks, BASE)
    points = search_space.candidates(space, count, seed, weights)
    assert 1 <= len(points) <= count
    assert points == search_space.candidates(space, count, seed, weights)
    for values in points:
        point = space.copy()
        point.values = dict(values)
        read = tuned_settings.read(point.get_config(), BASE)
        merged = tuned_settings.override(settings, read, blocks)
        reached = tuned_settings.tunable_values(merged, blocks)
        assert {name: reached[name] for name in read} == read
        assert merged.model_dump(exclude={'augmentation', 'class_weights', 'fine_tune'}) == (
            settings.model_dump(exclude={'augmentation', 'class_weights', 'fine_tune'})
        )
    assert tuned_settings.override(settings, points[0], blocks) == settings
    assert not changes(points[0], tuned_settings.tunable_values(settings, blocks))
    assert all(values[tuned_settings.CLASS_WEIGHTS] == weights for values in points[1:])


@hypothesis.given(SETTINGS, st.integers(1, 25))
def test_upside_down_is_tried_only_where_the_project_has_no_up(
    settings: params.Training, blocks: int
) -> None:
    points = search_space.candidates(
        search_space.space(settings, blocks, BASE), 40, 0, settings.class_weights
    )
    if settings.augmentation not in search_space.ANY_ORIENTATION:
        tried = {values.get(tuned_settings.AUGMENTATION) for values in points}
        assert tried.isdisjoint(search_space.ANY_ORIENTATION)


def test_points_are_spread_over_the_whole_space() -> None:
    settings = params.Training()
    points = search_space.candidates(search_space.space(settings, 18, BASE), 6, 0, 'none')
    others = points[1:]
    tried = sorted(values[tuned_settings.AUGMENTATION] for values in others)
    assert tried == ['auto', 'flip', 'light', 'none', 'strong']
    assert {values[tuned_settings.BLOCKS] for values in others} >= {4, 9, 18}
    rates = sorted(values[tuned_settings.RATE] for values in others)
    assert rates[0] < 1.6e-4 and rates[-1] > 6.3e-4
    assert all(1e-4 <= rate <= 1e-3 for rate in rates)
    assert all(0.7 <= values[tuned_settings.DECAY] <= 1.0 for values in others)


def test_probe_mode_has_nothing_but_the_head() -> None:
    settings = params.Training(mode='probe')
    space = search_space.space(settings, 18, BASE)
    assert search_space.candidates(space, 6, 0, 'none') == [
        {tuned_settings.BASE: BASE, tuned_settings.CLASS_WEIGHTS: 'none'}
    ]
    assert len(search_space.candidates(space, 6, 0, 'balanced')) == 2


def test_chosen_class_weights_are_first_tried_alone() -> None:
    points = search_space.candidates(
        search_space.space(params.Training(), 18, BASE), 6, 0, 'balanced'
    )
    present = tuned_settings.tunable_values(params.Training(), 18)
    assert changes(points[1], present) == {tuned_settings.CLASS_WEIGHTS: 'balanced'}


def config(**values: Any) -> dict[str, Any]:
    hyperparameters = keras_tuner.HyperParameters()
    hyperparameters.values = values
    return hyperparameters.get_config()


def test_nothing_tuned_yet_says_what_to_do() -> None:
    with pytest.raises(ConfigError, match='run thawline tune first'):
        tuned_settings.read(None, BASE)


def test_what_was_tuned_for_another_base_is_refused() -> None:
    with pytest.raises(ConfigError, match='tuned for resnet50 at 224 px, not for mobilenet_v2 at'):
        tuned_settings.read(config(base='resnet50 at 224 px'), BASE)


def test_value_outside_of_what_is_valid_is_refused() -> None:
    with pytest.raises(ValueError, match='learning_rate'):
        tuned_settings.override(params.Training(), {tuned_settings.RATE: -1.0}, 18)
