"""The classifier: one forward pass whatever the way in."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tests.components.training import tiny
from thawline.components import backbones
from thawline.components.backbones import classifier as model
from thawline.components.backbones.backbone import Backbone
from thawline.components.backbones.features import Features, feature_model, feature_slices
from thawline.components.embedding.embeddings import EmbeddingSettings
from thawline.components.embedding.feature_extractor import FeatureExtractor

SIDE = 32


def test_predict_equals_head_on_pooled_features() -> None:
    classifier = tiny.classifier(classes=3, dropout=0.5)
    rng = np.random.default_rng(0)
    kernel, bias = rng.normal(size=(8, 3)).astype(np.float32), np.array([1, 2, 3], np.float32)
    classifier.set_head(kernel, bias)
    data = tiny.images(20, classes=3)
    pooled = feature_model(classifier.backbone, 'top')(data.values.astype(np.float32)).numpy()
    assert pooled.shape == (20, 8)
    logits = classifier.predict(data.values, batch_size=7)  # the last batch is smaller
    assert logits.shape == (20, 3) and logits.dtype == np.float32
    np.testing.assert_allclose(logits, pooled @ kernel + bias, atol=1e-4)
    np.testing.assert_array_equal(logits, classifier.predict(data.values, batch_size=7))


@pytest.fixture(scope='module')
def real() -> Backbone:
    """The smallest real base, with several stages."""
    keras.utils.set_random_seed(0)
    return backbones.build('mobilenet_v2_035', SIDE, 'random')


@pytest.mark.parametrize('kind', ['top', 'blocks'])
def test_head_fitted_on_embeddings_answers_the_same_on_pixels(
    kind: Features, real: Backbone
) -> None:
    """Row 0 of an embedding is what the classifier's head sees, column by column."""
    data = tiny.images(12, side=SIDE)
    frozen = FeatureExtractor(
        EmbeddingSettings(real.name, 'random', SIDE, kind, 'none', 0, 0), real
    )
    embedded = frozen.embed('val', data).values[:, 0]
    slices = feature_slices(real, kind)
    assert embedded.shape == (12, slices[-1][1].stop)
    assert (len(slices) > 1) is (kind == 'blocks')
    classifier = model.build(real, kind, 2, 0.2, 0)
    assert classifier.head.kernel.shape == (embedded.shape[1], 2)
    # A head that sees one stage at a time: columns out of place would show.
    for _, columns in slices:
        kernel = np.zeros((embedded.shape[1], 2), np.float32)
        kernel[columns, 0] = np.linspace(-1, 1, columns.stop - columns.start)
        classifier.set_head(kernel, np.array([0, 1], np.float32))
        expected = embedded @ kernel + np.array([0, 1], np.float32)
        scale = np.abs(expected[:, 0]).max()
        np.testing.assert_allclose(classifier.predict(data.values), expected, atol=1e-4 * scale)


def test_base_stays_in_inference_mode_and_dropout_works_in_training_mode() -> None:
    classifier = tiny.classifier(dropout=0.5)
    before = tiny.weights_of(classifier.backbone)
    pixels = tiny.images(8).values.astype(np.float32)
    one, other = (np.array(classifier.model(pixels, training=True)) for _ in range(2))
    assert (one != other).any()
    assert all(tiny.same(before, tiny.weights_of(classifier.backbone)).values())


@pytest.mark.parametrize('thawed', [0, 2])
def test_updated_statistics_follow_the_images_where_the_base_is_thawed(thawed: int) -> None:
    base = tiny.backbone()
    classifier = model.build(base, 'top', 2, 0.5, 0, updated_statistics=True)
    backbones.set_trainable(base, thawed, 'affine')
    before = tiny.weights_of(base)
    pixels = tiny.images(8).values.astype(np.float32) / 2
    classifier.model(pixels, training=True)
    unchanged = tiny.same(before, tiny.weights_of(base))
    changed = {path for path, is_same in unchanged.items() if not is_same}
    expected = {path for path in before if 'moving' in path and int(path[5]) >= 4 - thawed}
    assert changed == expected
    # As in inference it changes nothing, thawed or not.
    before = tiny.weights_of(base)
    classifier.model(pixels, training=False)
    classifier.predict(tiny.images(8).values)
    assert all(tiny.same(before, tiny.weights_of(base)).values())


def test_same_seed_same_head() -> None:
    kernels = [tiny.classifier(seed=seed).head.get_weights()[0] for seed in (1, 1, 2)]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert (kernels[0] != kernels[2]).any()
