"""Answers that are averages over mirrored views."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.components.training import tiny
from tests.components.training.recipe_run import Images, train
from tests.components.transformed import CLASSES, RESIZE, SIZE, Transformed
from thawline.components.backbones import mirrored_views
from thawline.components.backbones.params import Views
from thawline.components.export import format_libraries, litert, onnx_format
from thawline.components.export.params import Kind
from thawline.components.saved_model import card, signatures
from thawline.components.training import scores

KINDS: tuple[tuple[Views, int], ...] = (('none', 1), ('flip', 2), ('flips', 4))


def turned(pixels: np.ndarray, kind: Views) -> list[np.ndarray]:
    """The views, by numpy."""
    both = [pixels, pixels[:, :, ::-1], pixels[:, ::-1], pixels[:, ::-1, ::-1]]
    return both[: dict(KINDS)[kind]]


@pytest.mark.parametrize(('kind', 'count'), KINDS)
def test_stacked_views_are_the_images_mirrored(kind: Views, count: int) -> None:
    images = np.arange(2 * 3 * 4 * 3, dtype=np.float32).reshape(2, 3, 4, 3)
    views = mirrored_views.stack_views(tf.constant(images), kind).numpy()
    assert len(views) == 2 * count
    np.testing.assert_array_equal(views, np.concatenate(turned(images, kind)))


@pytest.mark.parametrize(('kind', 'count'), KINDS)
def test_average_is_over_the_views_of_each_image(kind: Views, count: int) -> None:
    outputs = np.arange(count * 3 * 2, dtype=np.float32).reshape(count * 3, 2)
    means = mirrored_views.average_views(tf.constant(outputs), kind).numpy()
    np.testing.assert_allclose(means, outputs.reshape(count, 3, 2).mean(0))


def test_answer_does_not_depend_on_which_mirror_image_is_asked_about() -> None:
    pixels = tiny.images(6).values
    single = tiny.classifier()
    averaging = dataclasses.replace(single, views='flips')
    outputs = averaging.predict(pixels)
    for view in turned(pixels, 'flips'):
        np.testing.assert_allclose(averaging.predict(view), outputs, rtol=1e-4, atol=1e-5)
    mean = np.mean([single.predict(view) for view in turned(pixels, 'flips')], axis=0)
    np.testing.assert_allclose(outputs, mean, rtol=1e-4, atol=1e-5)
    assert not np.allclose(single.predict(pixels), outputs, rtol=1e-3)


@pytest.mark.parametrize('most_constant', [0, 10**9])
def test_exported_model_averages_too(
    transformed: Transformed, tmp_path: pathlib.Path, most_constant: int
) -> None:
    made = tiny.model.build(tiny.backbone(side=SIZE), 'top', len(CLASSES), 0.2, seed=0)
    pixels = tiny.images(5, side=SIZE).values
    saved = {}
    for kind in ('none', 'flips'):
        folder = tmp_path / kind
        classifier = dataclasses.replace(made, views=kind)
        signatures.export(
            classifier,
            CLASSES,
            transformed.output,
            SIZE,
            RESIZE,
            folder,
            frozen=True,
            most_constant=most_constant,
        )
        loaded = saved[kind] = tf.saved_model.load(str(folder))
        probabilities = tf.nn.softmax(classifier.predict(pixels)).numpy()
        served = loaded.signatures['serving_pixels']
        answers = served(pixels=tf.constant(pixels))['probabilities']
        np.testing.assert_allclose(answers, probabilities, atol=1e-5)
        np.testing.assert_allclose(
            loaded.probabilities(tf.constant(pixels)), probabilities, atol=1e-5
        )
        nothing = served(pixels=tf.zeros([0, SIZE, SIZE, 3], tf.uint8))['probabilities']
        assert nothing.shape == (0, len(CLASSES))
    asked = {'pixels': tf.constant(pixels), 'class_index': tf.zeros([5], tf.int64)}
    maps = [one.signatures['explain'](**asked)['saliency'] for one in saved.values()]
    np.testing.assert_allclose(maps[0], maps[1], atol=1e-5)  # of the image as it stands
    # Features of the single view would answer something else.
    assert card.read(tmp_path / 'none').frozen_base is not None
    assert card.read(tmp_path / 'flips').frozen_base is None


@pytest.mark.parametrize('mode', ['probe', 'fine_tune'])
def test_recipe_scores_val_as_the_model_answers(mode: str, tmp_path: pathlib.Path) -> None:
    val = tiny.images(24, seed=1)
    results = {
        kind: train(
            tmp_path / kind, val_set=val, mode=mode, views=kind, epochs=1, augmentation='flips'
        )
        for kind in ('none', 'flips')
    }
    single, averaging = results['none'], results['flips']
    assert averaging.classifier.views == 'flips'
    assert averaging.record.without_test_time_augmentation == single.record.val
    assert single.record.without_test_time_augmentation is None
    logits = averaging.classifier.predict(val.values)
    np.testing.assert_allclose(averaging.val_logits, logits, rtol=1e-5)
    assert averaging.record.val == scores.score(logits, val.labels)
    assert averaging.record.val.log_loss != single.record.val.log_loss
    assert averaging.rule.temperature != single.rule.temperature


@pytest.fixture(scope='module')
def averaging(transformed: Transformed, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A classifier that averages, and its exported model, loaded."""
    folder = tmp_path_factory.mktemp('averaging') / 'model'
    classifier = tiny.model.build(tiny.backbone(side=SIZE), 'top', len(CLASSES), 0.2, seed=0)
    classifier = dataclasses.replace(classifier, views='flips')
    signatures.export(classifier, CLASSES, transformed.output, SIZE, RESIZE, folder)
    return classifier, tf.saved_model.load(str(folder))


@pytest.mark.parametrize('kind', ['litert', 'litert_dynamic', 'litert_int8', 'onnx'])
def test_other_formats_average_too(kind: Kind, averaging: Any, tmp_path: pathlib.Path) -> None:
    if lacking := format_libraries.missing_libraries(kind):
        pytest.skip(f'not installed: {", ".join(lacking)}')
    classifier, loaded = averaging
    pixels, file = tiny.images(24, side=SIZE).values, tmp_path / 'other'
    if kind == 'onnx':
        file.write_bytes(onnx_format.convert(loaded, SIZE, {}))
        run = onnx_format.runner(file)
    else:
        file.write_bytes(litert.convert(loaded, kind, SIZE, pixels))
        run = litert.runner(file)
    predictions = np.concatenate([run(pixels[row : row + 1]) for row in range(6)])
    probabilities = tf.nn.softmax(classifier.predict(pixels[:6])).numpy()
    plain = dataclasses.replace(classifier, views='none')
    single = tf.nn.softmax(plain.predict(pixels[:6])).numpy()
    tolerance = 1e-4 if kind in ('litert', 'onnx') else 0.1
    np.testing.assert_allclose(predictions, probabilities, atol=tolerance)
    assert np.abs(predictions - probabilities).mean() < np.abs(predictions - single).mean()


@pytest.mark.parametrize('mode', ['probe', 'fine_tune'])
def test_images_are_read_once(mode: str, tmp_path: pathlib.Path) -> None:
    given = tiny.images(32), tiny.images(24, seed=1)
    reads: list[None] = []

    def images() -> Images:
        reads.append(None)
        return given

    train(tmp_path, None, *given, mode=mode, views='flip', images=images, epochs=1)
    assert len(reads) == 1
