"""First phase: which columns and which class weights, by what the probe answers on val."""

from __future__ import annotations

import pathlib

import keras
import numpy as np
import pytest

from tests.components.training import tiny
from tests.components.tuning import trial_runners
from thawline.components.backbones import backbone as backbone_lib
from thawline.components.backbones.features import feature_slices
from thawline.components.embedding.feature_extractor import EmbeddingSettings, FeatureExtractor
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import recipe
from thawline.components.tuning import head_comparison
from thawline.components.tuning.trial_runner import TrialRunner


def staged() -> backbone_lib.Backbone:
    """Three stages, so that there are blocks whose features are joined."""
    keras.utils.set_random_seed(0)
    pixels = keras.Input((32, 32, 3), name='pixels')
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(pixels)
    for i, (filters, strides) in enumerate(((4, 4), (6, 2), (8, 2))):
        x = keras.layers.Conv2D(filters, 3, strides, padding='same', name=f'block{i}_conv')(x)
        x = keras.layers.ReLU(name=f'block{i}_relu')(x)
    base = keras.Model(pixels, x, name='staged')
    blocks = backbone_lib.sort_into_blocks(base, r'(block\d)_')
    return backbone_lib.Backbone('staged', base, blocks, 'digest', 'random')


@pytest.fixture(scope='module')
def bench(tmp_path_factory: pytest.TempPathFactory) -> TrialRunner:
    base = staged()
    train, val = tiny.images(40, side=32), tiny.images(30, side=32, seed=1)
    settings = EmbeddingSettings('staged', 'random', 32, 'blocks', 'none', 0, 0)
    frozen = FeatureExtractor(settings, base)
    embedded = recipe.FeatureSets(
        'blocks',
        frozen.embed('train', train),
        frozen.embed('val', val),
    )
    folder = tmp_path_factory.mktemp('heads')
    return TrialRunner(base, trial_runners.NAMES, embedded, lambda: (train, val), folder)


def test_top_is_compared_where_blocks_were_embedded(bench: TrialRunner) -> None:
    assert len(feature_slices(bench.backbone, 'blocks')) > 1
    found = head_comparison.compare(bench, trial_runners.settings())
    assert [(head.features, head.class_weights) for head in found.found] == [
        ('blocks', 'none'), ('blocks', 'balanced'), ('top', 'none'),
    ]  # fmt: skip
    assert len(found.why) == 2
    losses = [head.tried.measured.log_loss for head in found.found]
    assert losses[0] != losses[2]


def test_useless_earlier_blocks_are_advised_against(bench: TrialRunner) -> None:
    """Earlier blocks that hold a wrong hint, strong in train and turned round in val."""
    columns = feature_slices(bench.backbone, 'blocks')[0][1]

    def hinted(data: LabelledSet, sign: float) -> LabelledSet:
        found = data.values.copy()
        found[..., columns] = sign * (2.0 * data.labels[:, None, None] - 1)
        return LabelledSet(found, data.labels, data.ids)

    embedded = recipe.FeatureSets(
        'blocks', hinted(bench.embedded.train, 1.0), hinted(bench.embedded.val, -1.0)
    )
    misled = TrialRunner(
        bench.backbone, trial_runners.NAMES, embedded, bench._images, pathlib.Path(bench._folder)
    )
    found = head_comparison.compare(misled, trial_runners.settings())
    assert found.features == 'top'
    assert 'features: top is better beyond noise than blocks' in found.why


def test_balanced_is_an_aim_and_stays(bench: TrialRunner) -> None:
    found = head_comparison.compare(bench, trial_runners.settings(class_weights='balanced'))
    assert found.class_weights == 'balanced'
    assert found.why[0].startswith('class_weights: balanced stays')


def test_top_alone_says_how_to_compare(tmp_path: pathlib.Path) -> None:
    found = head_comparison.compare(trial_runners.bench(tmp_path), trial_runners.settings())
    assert found.features == 'top' and len(found.found) == 2
    assert 'embedding.features: blocks' in found.why[1]
    assert all(np.isfinite(head.tried.recall) for head in found.found)
