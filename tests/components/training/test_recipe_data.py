"""Data of the recipe: classes that a split lacks, and data that allow no training."""

from __future__ import annotations

import logging
import math
import pathlib
from typing import Literal

import numpy as np
import pytest

from tests.components.training import tiny
from tests.components.training.recipe_run import NAMES, assert_equal, train, weights
from thawline.components.shared.errors import DataError
from thawline.components.shared.labelled_set import LabelledSet


def test_class_absent_from_val_trains(tmp_path: pathlib.Path) -> None:
    val = tiny.images(24, 3, seed=1)
    val = val.take(np.flatnonzero(val.labels != 1))
    trained = train(tmp_path, val_set=val, classes=3, epochs=1, blocks=1)
    assert trained.classifier.predict(val.values).shape == (16, 3)
    assert math.isfinite(trained.record.fine_tune.val.log_loss)


@pytest.mark.parametrize('mode', ['probe', 'fine_tune'])
def test_images_of_unknown_classes_do_not_take_part(
    mode: Literal['fine_tune', 'probe'], tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    def with_unknown(data: LabelledSet) -> LabelledSet:
        more = tiny.images(5, seed=9)
        return LabelledSet(
            np.concatenate([more.values, data.values]),
            np.concatenate([np.full(5, -1), data.labels]),
            np.concatenate([more.ids, data.ids]),
        )

    expected = train(tmp_path / 'known', mode=mode, epochs=1, blocks=1)
    with caplog.at_level(logging.WARNING):
        trained = train(
            tmp_path / 'unknown',
            train_set=with_unknown(tiny.images(32)),
            val_set=with_unknown(tiny.images(24, seed=1)),
            mode=mode,
            epochs=1,
            blocks=1,
        )
    assert_equal(weights(trained), weights(expected))
    assert trained.record.images == {'train': 32, 'val': 24}
    assert '5 train images' in caplog.text and '5 val images' in caplog.text


@pytest.mark.parametrize('label', [0, 1])
def test_train_of_one_class_is_refused(label: int, tmp_path: pathlib.Path) -> None:
    data = tiny.images(16)
    one = LabelledSet(data.values, np.full(16, label), data.ids)
    with pytest.raises(DataError, match=rf"two classes.* only.*'{NAMES[label]}'"):
        train(tmp_path, train_set=one)


def test_class_without_train_images_is_named(tmp_path: pathlib.Path) -> None:
    data = tiny.images(16, 3)
    without = data.take(np.flatnonzero(data.labels != 1))
    with pytest.raises(DataError, match=r"train.*'dog'"):
        train(tmp_path, train_set=without, classes=3)


@pytest.mark.parametrize('split', ['train', 'val'])
@pytest.mark.parametrize('unknown', [False, True])
def test_split_without_usable_images_is_named(
    split: str, unknown: bool, tmp_path: pathlib.Path
) -> None:
    data = tiny.images(4)
    nothing = data.take(np.arange(0))
    if unknown:
        nothing = LabelledSet(data.values, np.full(4, -1), data.ids)
    with pytest.raises(DataError, match=f'the {split} split has no image'):
        train(tmp_path, **{f'{split}_set': nothing})  # type: ignore[arg-type]


@pytest.mark.parametrize('split', ['train', 'val'])
def test_images_that_are_not_those_of_the_embeddings_are_refused(
    split: str, tmp_path: pathlib.Path
) -> None:
    sets = {'train': tiny.images(32), 'val': tiny.images(24, seed=1)}
    reordered = {**sets, split: sets[split].take(np.arange(len(sets[split]))[::-1])}
    with pytest.raises(DataError, match=f'the {split} images and their embeddings do not match'):
        train(
            tmp_path,
            train_set=sets['train'],
            val_set=sets['val'],
            images=lambda: (reordered['train'], reordered['val']),
        )
