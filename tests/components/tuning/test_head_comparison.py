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
from thawline.components.embedding.embeddings import EmbeddingSettings
from thawline.components.embedding.feature_extractor import FeatureExtractor
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
def runner(tmp_path_factory: pytest.TempPathFactory) -> TrialRunner:
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


def test_top_is_compared_where_blocks_were_embedded(runner: TrialRunner) -> None:
    assert len(feature_slices(runner.backbone, 'blocks')) > 1
    comparison = head_comparison.compare(runner, trial_runners.settings())
    assert [(head.features, head.class_weights) for head in comparison.heads] == [
        ('blocks', 'none'), ('blocks', 'balanced'), ('top', 'none'),
    ]  # fmt: skip
    assert len(comparison.why) == 2
    losses = [head.result.measured.log_loss for head in comparison.heads]
    assert losses[0] != losses[2]


def test_useless_earlier_blocks_are_advised_against(runner: TrialRunner) -> None:
    """Earlier blocks that hold a wrong hint, strong in train and turned round in val."""
    columns = feature_slices(runner.backbone, 'blocks')[0][1]

    def hinted(data: LabelledSet, sign: float) -> LabelledSet:
        features = data.values.copy()
        features[..., columns] = sign * (2.0 * data.labels[:, None, None] - 1)
        return LabelledSet(features, data.labels, data.ids)

    embedded = recipe.FeatureSets(
        'blocks', hinted(runner.features.train, 1.0), hinted(runner.features.val, -1.0)
    )
    misled = TrialRunner(
        runner.backbone, trial_runners.NAMES, embedded, runner._images, pathlib.Path(runner._folder)
    )
    comparison = head_comparison.compare(misled, trial_runners.settings())
    assert comparison.features == 'top'
    assert 'features: top is better beyond noise than blocks' in comparison.why


def test_balanced_is_an_aim_and_stays(runner: TrialRunner) -> None:
    comparison = head_comparison.compare(runner, trial_runners.settings(class_weights='balanced'))
    assert comparison.class_weights == 'balanced'
    assert comparison.why[0].startswith('class_weights: balanced is kept')


def test_top_alone_says_how_to_compare(tmp_path: pathlib.Path) -> None:
    comparison = head_comparison.compare(trial_runners.runner(tmp_path), trial_runners.settings())
    assert comparison.features == 'top' and len(comparison.heads) == 2
    assert 'embedding.features: blocks' in comparison.why[1]
    assert all(np.isfinite(head.result.recall) for head in comparison.heads)
