"""The classifier: one forward pass whatever the way in."""

from __future__ import annotations

import numpy as np

from tests.components.training import tiny


def test_predict_equals_head_on_pooled_features() -> None:
    classifier = tiny.classifier(classes=3, dropout=0.5)
    rng = np.random.default_rng(0)
    kernel, bias = rng.normal(size=(8, 3)).astype(np.float32), np.array([1, 2, 3], np.float32)
    classifier.set_head(kernel, bias)
    data = tiny.images(20, classes=3)
    pooled = classifier.pooled(data.pixels.astype(np.float32)).numpy()
    assert pooled.shape == (20, 8)
    logits = classifier.predict(data.pixels, batch_size=7)  # the last batch is smaller
    assert logits.shape == (20, 3) and logits.dtype == np.float32
    np.testing.assert_allclose(logits, pooled @ kernel + bias, atol=1e-4)
    np.testing.assert_array_equal(logits, classifier.predict(data.pixels, batch_size=7))


def test_base_stays_in_inference_mode_and_dropout_works_in_training_mode() -> None:
    classifier = tiny.classifier(dropout=0.5)
    before = tiny.weights_of(classifier.backbone)
    pixels = tiny.images(8).pixels.astype(np.float32)
    one, other = (np.array(classifier.model(pixels, training=True)) for _ in range(2))
    assert (one != other).any()
    assert all(tiny.same(before, tiny.weights_of(classifier.backbone)).values())


def test_same_seed_same_head() -> None:
    kernels = [tiny.classifier(seed=seed).head.get_weights()[0] for seed in (1, 1, 2)]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert (kernels[0] != kernels[2]).any()
