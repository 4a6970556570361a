"""Whole trainings with folds and with a plain split: who is judged by what, and what ships."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.components.training import tiny
from tests.components.training.recipe_run import NAMES
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import (
    budget,
    checkpoint,
    fold_turn,
    params,
    probe,
    recipe,
    refit,
    validation,
)
from thawline.components.training.validated_classifier import ValidatedClassifier
from thawline.components.training.validation import ImageRoles

FINE = {'epochs': 2, 'learning_rate': 1e-2, 'blocks': 1}


def sets(classes: int = 2) -> tuple[LabelledSet, LabelledSet]:
    train, val = tiny.images(32, classes), tiny.images(8, classes, seed=1)
    ids = np.array([b'v' + name for name in val.ids], object)
    return train, LabelledSet(val.values, val.labels, ids)


def roles(number: int, *parts: LabelledSet) -> ImageRoles:
    ids = [name for part in parts for name in part.ids]
    return ImageRoles(folds={name: place // 2 % number for place, name in enumerate(ids)})


def train(
    folder: pathlib.Path,
    images: tuple[LabelledSet, LabelledSet],
    of: ImageRoles,
    read: Callable[[], tuple[LabelledSet, LabelledSet]] | None = None,
    deadline: budget.Deadline | None = None,
    **settings: Any,
) -> ValidatedClassifier:
    base = tiny.backbone()
    recipe_settings = params.Training(
        batch_size=8, augmentation='flip', fine_tune=params.FineTune(**FINE), **settings
    )
    return validation.train(
        base,
        NAMES[: 1 + int(max(part.labels.max() for part in images))],
        tiny.embedded(base, *images, recipe_settings.views_augmentation, 'top'),
        read or (lambda: images),
        recipe_settings,
        of,
        checkpoint.CheckpointFile(folder / 'state', 'key'),
        tf.summary.create_noop_writer(),
        folder,
        deadline,
    )


def unused() -> tuple[LabelledSet, LabelledSet]:
    raise AssertionError('the images were read')


def test_the_probe_by_folds_judges_all_images_and_reads_none(tmp_path: pathlib.Path) -> None:
    images = sets()
    trained = train(tmp_path, images, roles(4, *images), unused, mode='probe')
    record = trained.record.validation
    assert record.method == 'folds' and record.refitted == 40 and len(record.folds) == 4
    assert sorted(trained.answers.ids) == sorted([*images[0].ids, *images[1].ids])
    assert trained.answers.by_folds and record.judged is not None and record.judged.n == 40
    # What ships answers by the head that was fitted to all of them.
    logits = trained.classifier.predict(images[1].values)
    embedded = tiny.embedded(tiny.backbone(), *images, 'flip', 'top')
    learned, other = embedded.train.values, embedded.val.values
    other = np.repeat(other, learned.shape[1], axis=1)  # for the views that val does not have
    values = np.concatenate([learned, other])
    labels = np.concatenate([images[0].labels, images[1].labels])
    order = np.argsort(np.concatenate([images[0].ids, images[1].ids]), kind='stable')
    every = np.repeat(labels[order], learned.shape[1])
    strengths = probe.L2_PATH[: probe.L2_PATH.index(trained.record.probe.c) + 1]
    *_, head = probe.path(values[order].reshape(len(every), -1), every, 2, strengths=strengths)
    np.testing.assert_allclose(logits, head.logits(values[32:, 0]), rtol=1e-3, atol=1e-3)


def test_the_probe_with_a_split_is_fitted_to_val_too_once_it_is_judged(
    tmp_path: pathlib.Path,
) -> None:
    images = sets()
    refitted = train(tmp_path, images, ImageRoles(), unused, mode='probe')
    kept = train(tmp_path, images, ImageRoles(), unused, mode='probe', refit='never')
    assert refitted.record.validation.refitted == 40 and not kept.record.validation.refitted
    for trained in (refitted, kept):
        assert trained.record.validation.method == 'split' and not trained.answers.by_folds
        assert list(trained.answers.ids) == list(images[1].ids)
    np.testing.assert_array_equal(refitted.answers.probabilities, kept.answers.probabilities)
    first, second = (t.classifier.predict(images[1].values) for t in (refitted, kept))
    assert np.abs(first - second).max() > 1e-4


def weights(trained: ValidatedClassifier) -> list[np.ndarray]:
    return trained.classifier.model.get_weights()


def test_fine_tuning_with_a_split_is_repeated_on_train_and_val(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = sets()
    kept = train(tmp_path / 'never', images, ImageRoles(), refit='never')
    refitted = train(tmp_path / 'auto', images, ImageRoles())
    assert kept.record.kept != 'probe' and not kept.record.validation.refitted
    assert refitted.record.validation.refitted == 40
    np.testing.assert_array_equal(kept.answers.probabilities, refitted.answers.probabilities)
    learned = [  # of the base: it has learned from val, and from the start
        np.abs(one - other).max()
        for one, other in zip(weights(kept), weights(refitted), strict=True)
    ]
    assert max(learned[:-2]) > 1e-4

    def killed(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(refit, 'thaw', killed)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / 'killed', images, ImageRoles())
    again = train(tmp_path / 'killed', images, ImageRoles())
    for one, other in zip(weights(refitted), weights(again), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_was_judged_ships_where_a_refit_has_no_room(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the budget; or because there are so many images that it hardly helps."""
    images = sets()
    kept = train(tmp_path / 'never', images, ImageRoles(), refit='never')

    def measured(*args: Any, **kwargs: Any) -> recipe.TrainedClassifier:
        trained = original(*args, **kwargs)
        seconds = {**trained.record.seconds, 'fine_tune': 1e6}
        record = dataclasses.replace(trained.record, seconds=seconds)
        return dataclasses.replace(trained, record=record)

    original = recipe.train
    with monkeypatch.context() as patch:
        patch.setattr(recipe, 'train', measured)
        short = train(tmp_path / 'a', images, ImageRoles(), deadline=budget.Deadline(3e5))
    monkeypatch.setattr(validation, 'REFITTED_IMAGES', 39)
    many = train(tmp_path / 'b', images, ImageRoles())
    for trained in (short, many):
        assert not trained.record.validation.refitted
    np.testing.assert_array_equal(weights(many)[0], weights(kept)[0])


def test_val_is_answered_without_its_own_part_in_the_choices(tmp_path: pathlib.Path) -> None:
    """The label of an image of val is changed: it may choose for others, not for itself."""
    train_set, val = sets()
    before = train(tmp_path, (train_set, val), ImageRoles(), mode='fine_tune').answers
    for row in (0, 5):
        labels = val.labels.copy()
        labels[row] = 1 - labels[row]
        changed = LabelledSet(val.values, labels, val.ids)
        after = train(tmp_path, (train_set, changed), ImageRoles(), mode='probe').answers
        same = train(tmp_path, (train_set, val), ImageRoles(), mode='probe').answers
        if (after.fold == same.fold).all():  # the parts are stratified, too
            np.testing.assert_array_equal(after.probabilities[row], same.probabilities[row])
    assert len(before) == len(val)


def test_fine_tuning_by_folds(tmp_path: pathlib.Path) -> None:
    images = sets()
    trained = train(tmp_path, images, roles(3, *images))
    record = trained.record
    assert record.validation.method == 'folds' and len(record.validation.folds) == 3
    assert all(1 <= fold.best_epoch <= 2 for fold in record.validation.folds)
    assert record.fine_tune is not None and record.interpolation is not None
    assert record.validation.judged is not None and record.validation.judged.n == 40
    assert record.kept == 'averaged' and record.share > 0 and not record.validation.refitted
    assert not list((tmp_path / 'state').rglob('*.npz'))
    # The same again is the same, bit by bit.
    again = train(tmp_path, images, roles(3, *images))
    np.testing.assert_array_equal(again.answers.probabilities, trained.answers.probabilities)
    for one, other in zip(
        trained.classifier.model.get_weights(), again.classifier.model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_a_killed_training_goes_on_in_the_fold_where_it_was(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = sets()
    whole = train(tmp_path / 'whole', images, roles(3, *images))
    trainings: list[int] = []
    original = recipe.train

    def killed(*args: Any, **kwargs: Any) -> recipe.TrainedClassifier:
        trainings.append(1)
        if len(trainings) == 3:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    monkeypatch.setattr(fold_turn.recipe, 'train', killed)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / 'killed', images, roles(3, *images))
    resumed = train(tmp_path / 'killed', images, roles(3, *images))
    assert len(trainings) == 4  # two whole ones, the one that was killed, and that one again
    np.testing.assert_array_equal(whole.answers.probabilities, resumed.answers.probabilities)
    assert whole.record.validation == resumed.record.validation


def test_a_budget_without_room_for_fine_tuning_leaves_the_probe(tmp_path: pathlib.Path) -> None:
    images = sets()
    deadline = budget.Deadline(1e-3)
    trained = train(tmp_path, images, roles(3, *images), deadline=deadline)
    assert trained.record.kept == 'probe' and trained.record.left_out
    assert trained.record.validation.judged is not None
    assert trained.record.validation.judged.n == 40


def test_mirrored_views_by_folds(tmp_path: pathlib.Path) -> None:
    images = sets()
    trained = train(
        tmp_path, images, roles(3, *images), mode='probe', test_time_augmentation='flip'
    )
    assert trained.classifier.views == 'flip' and len(trained.answers) == 40
