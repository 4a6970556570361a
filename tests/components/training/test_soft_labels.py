"""Labels that are not certain, through the whole recipe."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Literal

import numpy as np
import pytest
import scipy.special

from tests.components.training import tiny
from tests.components.training.recipe_run import assert_equal, train, weights, without_seconds
from thawline.components.shared.labelled_set import LabelledSet

Mode = Literal['fine_tune', 'probe']


def unsure() -> LabelledSet:
    """48 images, of which 16 have the wrong label, and say that it may be any."""
    data = tiny.images(48)
    rows = np.arange(48) % 3 == 0
    labels = np.where(rows, 1 - data.labels, data.labels)
    confidence = np.where(rows, 0.5, 1.0).astype(np.float32)
    return dataclasses.replace(data, labels=labels, confidence=confidence)


@pytest.mark.parametrize('mode', ['probe', 'fine_tune'])
def test_confidence_counts_only_where_it_is_asked_for(mode: Mode, tmp_path: pathlib.Path) -> None:
    data = unsure()
    certain = dataclasses.replace(data, confidence=np.ones(48, np.float32))
    # Without augmentation, because its views would blur what is compared.
    soft, hard, expected = (
        train(
            tmp_path / name,
            train_set=given,
            soft_labels=wanted,
            mode=mode,
            augmentation='none',
            epochs=1,
            blocks=1,
        )
        for name, given, wanted in (
            ('soft', data, True), ('hard', data, False), ('certain', certain, True),
        )
    )  # fmt: skip
    assert_equal(weights(hard), weights(expected))
    assert without_seconds(hard.record) == without_seconds(expected.record)
    assert hard.record.soft_labels == 0
    assert soft.record.soft_labels == 16
    for record in (soft.record, hard.record):  # the same count, of the labels themselves
        assert record.probe.train.n == 48
    assert soft.record.probe.val.log_loss < hard.record.probe.val.log_loss
    if mode == 'fine_tune':
        first = [one.record.fine_tune.history[0].train_loss for one in (soft, hard)]
        assert first[0] != first[1]


def test_every_view_of_an_image_is_as_sure_as_the_image(tmp_path: pathlib.Path) -> None:
    data = unsure()
    kept = data.take(np.flatnonzero(data.confidence == 1))
    plain, viewed, without = (
        train(tmp_path / name, train_set=given, mode='probe', augmentation=augmentation)
        for name, given, augmentation in (
            ('plain', data, 'none'), ('viewed', data, 'light'), ('without', kept, 'light'),
        )
    )  # fmt: skip
    for one in (plain, viewed):
        assert one.record.soft_labels == 16
        loss = one.record.probe.val.log_loss
        # A wrong label that says how little it knows does no harm to speak of.
        assert loss < without.record.probe.val.log_loss + 0.1


@pytest.mark.parametrize('class_weights', ['none', 'balanced'])
def test_mean_answer_on_train_is_the_mean_target(
    class_weights: Literal['none', 'balanced'], tmp_path: pathlib.Path
) -> None:
    """At the optimum of a head whose bias is not penalised, each image weighted as its label is."""
    data = tiny.images(36, 3)
    data = data.take(np.flatnonzero((data.labels != 1) | (np.arange(36) % 2 == 0)))
    confidence = np.where(data.labels == 2, 0.6, 1.0).astype(np.float32)
    data = dataclasses.replace(data, confidence=confidence)
    trained = train(
        tmp_path,
        train_set=data,
        classes=3,
        mode='probe',
        augmentation='none',
        class_weights=class_weights,
    )
    assert trained.record.soft_labels == 12
    answers = scipy.special.softmax(trained.classifier.predict(data.values), axis=1)
    targets = np.array([[1, 0, 0], [0, 1, 0], [0.2, 0.2, 0.6]])[data.labels]
    weights = 1 / np.bincount(data.labels)[data.labels] if class_weights == 'balanced' else None
    np.testing.assert_allclose(
        np.average(answers, axis=0, weights=weights),
        np.average(targets, axis=0, weights=weights),
        atol=5e-3,
    )
