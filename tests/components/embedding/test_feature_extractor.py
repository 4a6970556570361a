"""Features as the recipe sees them: in the order of the images, views of train alone."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np
import pytest

from tests.components.training import tiny
from thawline.components.embedding import embeddings, feature_extractor
from thawline.components.embedding.embeddings import EmbeddingSettings
from thawline.components.embedding.feature_extractor import (
    FeatureExtractor,
    FeatureExtractorHandler,
)
from thawline.components.shared import progress
from thawline.components.shared.errors import ConfigError


def frozen(views: int = 2, seed: int = 0) -> FeatureExtractor:
    """The tiny base, whose features are its own."""
    settings = EmbeddingSettings('tiny', 'random', tiny.SIDE, 'top', 'standard', views, seed)
    return FeatureExtractor(settings, tiny.backbone())


def test_features_are_in_order_and_views_differ() -> None:
    data = tiny.images(150)  # more than two batches
    base = frozen()
    features = base.embed('train', data)
    assert features.values.shape == (150, 3, 8) and features.values.dtype == np.float32
    np.testing.assert_array_equal(features.labels, data.labels)
    assert features.ids.tolist() == data.ids.tolist()
    assert features.confidence.tolist() == data.confidence.tolist()
    maps = base.backbone.model(data.values.astype(np.float32), training=False)
    np.testing.assert_allclose(features.values[:, 0], np.mean(maps, axis=(1, 2)), atol=1e-5)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert (features.values[:, one] != features.values[:, other]).any(axis=1).all()
    again = frozen().embed('train', data)
    np.testing.assert_array_equal(features.values, again.values)
    other_seed = frozen(seed=1).embed('train', data).values
    np.testing.assert_array_equal(features.values[:, 0], other_seed[:, 0])
    assert (features.values[:, 1:] != other_seed[:, 1:]).any(axis=2).all()


def test_other_splits_are_embedded_plainly_and_progress_counts_images() -> None:
    data = tiny.images(70)
    seen: list[progress.Progress] = []
    with progress.listening(seen.append):
        progress.start('images', len(data))
        features = frozen().embed('val', data)
    assert features.values.shape == (70, 1, 8)
    assert (seen[-1].done, seen[-1].total) == (70, 70)


def test_view_of_an_image_does_not_depend_on_its_company() -> None:
    data = tiny.images(70)
    base = frozen()
    features = base.embed('train', data)
    rows = np.array([69, 3, 40])
    some = base.embed('train', data.take(rows))
    np.testing.assert_allclose(some.values, features.values[rows], atol=1e-5)


def test_worker_with_other_weights_is_refused() -> None:
    settings = EmbeddingSettings('mobilenet_v2_035', 'random', 32, 'top', 'none', 0, seed=1)
    digest = FeatureExtractor(settings).backbone.weights_digest
    with feature_extractor.preload(dataclasses.replace(settings, seed=2)):
        loaded = FeatureExtractorHandler(settings, digest).load_model()
        assert loaded.backbone.weights_digest == digest
        other = FeatureExtractorHandler(dataclasses.replace(settings, seed=2), digest)
        with pytest.raises(ConfigError, match=digest):
            other.load_model()


def test_take_keeps_rows_together() -> None:
    features = frozen().embed('train', tiny.images(5))
    assert features.confidence.tolist() == [1.0] * 5
    features = dataclasses.replace(features, confidence=np.linspace(0.2, 1, 5, dtype=np.float32))
    some = features.take(np.array([3, 1]))
    assert len(some) == 2
    assert some.confidence.tolist() == features.confidence[[3, 1]].tolist()
    np.testing.assert_array_equal(some.values, features.values[[3, 1]])
    assert some.labels.tolist() == [1, 1]
    assert some.ids.tolist() == [features.ids[3], features.ids[1]]


def test_what_the_embedder_wrote_is_read_in_the_order_of_the_images(tmp_path: pathlib.Path) -> None:
    sure = np.linspace(0.2, 1, 9, dtype=np.float32)
    data = dataclasses.replace(tiny.images(9), confidence=sure)
    mixed = np.random.default_rng(0).permutation(9)
    written = frozen().embed('train', data.take(mixed))
    spec = embeddings.Spec(
        'tiny', 'random', tiny.SIDE, 'top', 'standard', 2, 0, 8, {'train': 9}, 'digest', 1.0
    )
    tiny.write_embeddings(tmp_path, spec, {'train': written})
    loaded = embeddings.load(str(tmp_path), 'train')
    expected = frozen().embed('train', data)
    np.testing.assert_array_equal(loaded.confidence, sure, strict=True)
    np.testing.assert_allclose(loaded.values, expected.values, atol=1e-5)
    np.testing.assert_array_equal(loaded.labels, data.labels)
    assert loaded.ids.tolist() == data.ids.tolist()
