"""What the frozen blocks make of images is computed once, and is what they would make again."""

from __future__ import annotations

import pathlib

import keras
import numpy as np
import pytest

from tests.components.training import fine_tuning, tiny
from thawline.components import augmentation, backbones
from thawline.components.backbones import classifier as model
from thawline.components.training import frozen_activations, training_images
from thawline.components.training.targets import Targets

POLICY = augmentation.POLICIES['light']
TARGETS = Targets(0.1, 'none', np.ones(2, np.float32), soft=True)


def classifier(updated: bool = False) -> model.Classifier:
    return model.build(tiny.backbone(side=64), 'top', 2, 0.0, 0, updated)


@pytest.mark.parametrize('updated', [False, True])
@pytest.mark.parametrize('thawed', [1, 3])
def test_upper_part_answers_as_the_whole(thawed: int, updated: bool) -> None:
    one = classifier(updated=updated)
    data = tiny.images(70, side=64)  # more than a batch
    look = frozen_activations.ValPredictor(
        one, data.values, frozen_activations.SplitClassifier(one, thawed, POLICY)
    )
    for _ in range(2):
        np.testing.assert_allclose(look(), one.predict(data.values), rtol=1e-5, atol=1e-6)
        # What is trained changes; the layers are the same ones.
        for layer in (one.backbone.blocks[-1].layers[0], one.head):
            layer.set_weights([1.1 * weight for weight in layer.get_weights()])


def test_stages_below_the_boundary_reach_the_head(tmp_path: pathlib.Path) -> None:
    """A real base whose head sees several stages: their pooled activations are held as well."""
    keras.utils.set_random_seed(0)
    base = backbones.build('mobilenet_v2_035', 32, 'random')
    one = model.build(base, 'blocks', 2, 0.0, 0)
    data, val = tiny.images(12, side=32), tiny.images(8, side=32, seed=1)
    edge = frozen_activations.SplitClassifier(one, 2, POLICY)
    assert [len(spec.shape) for spec in edge.specs] == [4, 2]
    look = frozen_activations.ValPredictor(one, data.values, edge)
    expected = one.predict(data.values)
    np.testing.assert_allclose(look(), expected, atol=1e-4 * np.abs(expected).max())
    tuned = fine_tuning.run(one, tmp_path, fine_tuning.settings(cached_views=1), data, val)
    expected = one.predict(val.values)
    np.testing.assert_allclose(tuned.predict_val(), expected, atol=1e-4 * np.abs(expected).max())


def test_frozen_part_is_computed_once() -> None:
    one = classifier()
    data = tiny.images(8, side=64)
    look = frozen_activations.ValPredictor(
        one, data.values, frozen_activations.SplitClassifier(one, 2, POLICY)
    )
    before = look()
    first = one.backbone.blocks[0].layers[0]
    first.set_weights([np.zeros_like(weight) for weight in first.get_weights()])
    np.testing.assert_array_equal(look(), before)
    assert (one.predict(data.values) != before).any()


def test_without_a_boundary_or_memory_the_whole_is_computed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = classifier()
    data = tiny.images(8, side=64)
    edge = frozen_activations.SplitClassifier(one, 2, POLICY)
    assert edge.size_in_bytes(8) == 8 * 16 * 16 * 8 * 4
    monkeypatch.setattr(training_images, 'IN_MEMORY_BYTES', edge.size_in_bytes(8) - 1)
    first = one.backbone.blocks[0].layers[0]
    looks = [frozen_activations.ValPredictor(one, data.values, given) for given in (None, edge)]
    before = [look() for look in looks]
    first.set_weights([np.zeros_like(weight) for weight in first.get_weights()])
    assert all((look() != was).any() for look, was in zip(looks, before, strict=True))


def test_large_activations_lie_in_a_file_that_goes_with_them(tmp_path: pathlib.Path) -> None:
    edge = frozen_activations.SplitClassifier(classifier(), 2, POLICY)
    (array,) = edge.allocate((2, 3), tmp_path / 'spool', in_memory_bytes=10)
    assert isinstance(array, np.memmap)
    assert (array.shape, array.dtype) == ((2, 3, 16, 16, 8), np.float32)
    array[:] = 7.0
    assert float(array.sum()) == 7.0 * array.size
    assert list((tmp_path / 'spool').iterdir()) == []
    (small,) = edge.allocate((2, 3), tmp_path / 'spool')
    assert not isinstance(small, np.memmap)


def test_views_are_of_the_image_and_the_number_and_come_in_any_order() -> None:
    one = classifier()
    data = tiny.images(10, side=64)
    edge = frozen_activations.SplitClassifier(one, 2, POLICY)
    views = frozen_activations.CachedViews(edge, data, 2, 5, None)
    results = {}
    for view, epoch in ((1, 2), (0, 1), (1, 4)):
        batches = list(views.epoch(view, epoch, 4, TARGETS))
        assert [len(goals) for _, goals in batches] == [4, 4, 2]
        order = np.random.default_rng([5, epoch]).permutation(10)
        rows = np.concatenate([activations[0] for activations, _ in batches])
        goals = np.concatenate([goals for _, goals in batches])
        np.testing.assert_array_equal(goals.argmax(1), data.labels[order])
        results[view, epoch] = rows[np.argsort(order)]
    np.testing.assert_array_equal(results[1, 2], results[1, 4])
    assert (results[0, 1] != results[1, 2]).any()
    draws = augmentation.view_draws(5, data.ids, 1)
    images = augmentation.augment(data.values, POLICY, draws)
    lower, _ = one.split(2)
    np.testing.assert_allclose(results[0, 1], lower(images, training=False), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('batch_norm', ['affine', 'updated'])
def test_training_on_a_cached_view_is_training_on_its_images(
    batch_norm: str, tmp_path: pathlib.Path
) -> None:
    """Without augmentation the cached view is what is trained without a cache, up to rounding."""
    ends = {}
    for views in (0, 3):
        chosen = fine_tuning.settings(
            cached_views=views, augmentation='none', batch_norm=batch_norm, dropout=0.3
        )
        one = fine_tuning.classifier(chosen)
        tuned = fine_tuning.run(one, tmp_path / str(views), chosen)
        ends[views] = fine_tuning.weights(one), tuned.history[-1].train_loss
    for cached, plain in zip(ends[3][0], ends[0][0], strict=True):
        np.testing.assert_allclose(cached, plain, rtol=1e-3, atol=1e-4)
    assert ends[3][1] == pytest.approx(ends[0][1], rel=1e-3)


def test_cached_views_are_trained_on_and_leave_the_frozen_blocks(tmp_path: pathlib.Path) -> None:
    chosen = fine_tuning.settings(cached_views=2, epochs=4, stages=2)
    one = fine_tuning.classifier(chosen)
    before = tiny.weights_of(one.backbone)
    tuned = fine_tuning.run(one, tmp_path, chosen)
    assert [epoch.blocks for epoch in tuned.history] == [1, 2, 2, 2]
    unchanged = tiny.same(before, tiny.weights_of(one.backbone))
    assert all(same for path, same in unchanged.items() if path[5] in '01')
    assert not any(same for path, same in unchanged.items() if path.startswith('block2_conv'))
    assert tuned.history[-1].train_loss < tuned.history[0].train_loss
