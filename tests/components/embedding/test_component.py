"""The contract: what the cache key depends on, and what it does not."""

from __future__ import annotations

from typing import Any

import pytest
from tfx.types import Channel, standard_artifacts

from thawline.components.backbones.params import PretrainedBase
from thawline.components.embedding.component import Embedder


def key(**changes: Any) -> dict[str, Any]:
    """The execution properties of an Embedder with these parameters."""
    parameters = {
        'model': PretrainedBase(),
        'weights_digest': '',
        'image_size': 224,
        'resize': 'stretch',
        'augmentation': 'light',
        'views': 1,
        'seed': 0,
        'features': 'top',
    } | changes
    examples = Channel(type=standard_artifacts.Examples)
    properties: dict[str, Any] = Embedder(examples=examples, **parameters).spec.exec_properties
    return properties


@pytest.mark.parametrize(
    'change',
    [
        {'model': PretrainedBase(backbone='resnet50')},
        {'model': PretrainedBase(weights='random')},
        {'weights_digest': 'abc'},
        {'image_size': 128},
        {'resize': 'crop'},
        {'augmentation': 'flips'},
        {'views': 2},
        {'seed': 1},
        {'features': 'blocks'},
    ],
)
def test_what_changes_the_features_changes_the_key(change: dict[str, Any]) -> None:
    assert key(**change) != key()


def test_without_views_neither_policy_nor_seed_matter() -> None:
    none = key(views=0)
    assert none == key(views=0, augmentation='strong', seed=5) == key(augmentation='none', seed=2)
    assert none != key()


def test_seed_of_a_random_base_always_matters() -> None:
    random = {'model': PretrainedBase(weights='random'), 'views': 0}
    assert key(**random, seed=1) != key(**random, seed=2)
