"""The recipe as a whole: freeze, probe, thaw, keep the better."""

from __future__ import annotations

import dataclasses
import pathlib
import re
from typing import Any, Literal

import numpy as np
import pytest
import scipy.special
import tensorflow as tf

from tests.components.training import tiny
from tests.components.training.recipe_run import (
    Images,
    assert_equal,
    train,
    weights,
    without_seconds,
)
from thawline.components import backbones
from thawline.components.backbones.features import Features, feature_slices
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import augmentation_choice, model_selection, recipe, scores
from thawline.components.training.record import AugmentationRecord, Scores


def shipped(trained: recipe.TrainedClassifier, data: LabelledSet) -> Scores:
    return scores.score(trained.classifier.predict(data.values), data.labels)


def no_images() -> Images:
    """For a training that has to do without."""
    raise AssertionError('the images were asked for')


@pytest.fixture(scope='module')
def probed(tmp_path_factory: pytest.TempPathFactory) -> recipe.TrainedClassifier:
    """The head alone, to compare with."""
    return train(tmp_path_factory.mktemp('probe'), mode='probe')


@dataclasses.dataclass(frozen=True)
class Tuned:
    folder: pathlib.Path
    trained: recipe.TrainedClassifier


TUNE: dict[str, Any] = {'epochs': 2, 'blocks': 2, 'learning_rate': 1e-3}


@pytest.fixture(scope='module')
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    """Both phases by `TUNE`; no test changes the model."""
    folder = tmp_path_factory.mktemp('tuned')
    return Tuned(folder, train(folder, **TUNE))


def test_probe_leaves_every_weight_of_the_base_bitwise_equal(tmp_path: pathlib.Path) -> None:
    base = tiny.backbone()
    before = tiny.weights_of(base)
    trained = train(tmp_path, base, mode='probe', images=no_images)
    assert all(tiny.same(before, tiny.weights_of(base)).values())
    assert trained.record.kept == 'probe' and trained.record.fine_tune is None
    assert trained.record.probe.val.accuracy > 0.8
    assert trained.record.left_out == ()
    assert set(trained.record.seconds) == {'probe'}
    assert not (tmp_path / 'state').exists()
    scored = shipped(trained, tiny.images(24, seed=1))
    assert scored.accuracy == trained.record.val.accuracy
    assert scored.log_loss == pytest.approx(trained.record.val.log_loss, rel=1e-4)


def test_record_tells_what_the_shipped_weights_reach(tuned: Tuned) -> None:
    val = tiny.images(24, seed=1)
    trained, record = tuned.trained, tuned.trained.record
    assert record.classes == ('cat', 'dog')
    assert record.images == {'train': 32, 'val': 24}
    scored = shipped(trained, val)
    assert scored.accuracy == record.val.accuracy
    assert scored.log_loss == pytest.approx(record.val.log_loss, rel=1e-4)
    np.testing.assert_allclose(
        trained.val_logits, trained.classifier.predict(val.values), rtol=1e-4, atol=1e-5
    )
    candidates = record.interpolation
    assert list(candidates) == ['0', '0.25', '0.5', '0.75', '1']
    kept = model_selection.choose({float(share): one for share, one in candidates.items()})
    for share, of_record in (('0', record.probe.val), ('1', record.fine_tune.val),
                             (f'{kept:g}', record.val)):  # fmt: skip
        assert vars(of_record).items() <= vars(candidates[share]).items()
    assert [epoch.epoch for epoch in record.epochs] == [1, 2]
    assert set(record.seconds) == {'probe', 'read', 'augmentation', 'fine_tune'}
    assert _curve(tuned.folder / 'tensorboard') == [0, 1, 2]


def test_augmentation_auto_is_settled_by_the_frozen_base_and_its_head(
    tmp_path: pathlib.Path,
) -> None:
    val = tiny.images(24, seed=1)
    probe = train(tmp_path / 'probe', val_set=val, augmentation='auto', mode='probe')
    assert probe.record.augmentation is None  # nothing is augmented
    classifier = probe.classifier
    expected = augmentation_choice.choose(
        classifier.predict, classifier.predict(val.values), val, 0
    )[0]
    auto = train(tmp_path / 'auto', val_set=val, augmentation='auto', epochs=1).record
    named = train(tmp_path / 'named', val_set=val, augmentation='light', epochs=1).record
    assert auto.augmentation.policy == expected
    assert next(iter(auto.augmentation.measured)) == 'standard'
    assert named.augmentation == AugmentationRecord('light', {})


def _curve(folder: pathlib.Path) -> list[int]:
    """The epochs for which TensorBoard has a val accuracy."""
    (file,) = folder.iterdir()
    records = tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
    events = [tf.compat.v1.Event.FromString(record) for record in records]
    return [e.step for e in events for v in e.summary.value if v.tag == 'accuracy/val']


def test_probe_is_kept_where_fine_tuning_is_worse(
    probed: recipe.TrainedClassifier, tmp_path: pathlib.Path
) -> None:
    """At a rate of 1 fine-tuning destroys the model; what ships is the probe, bit for bit."""
    base = tiny.backbone()
    before = tiny.weights_of(base)
    trained = train(
        tmp_path,
        base,
        epochs=2,
        blocks='all',
        learning_rate=1.0,
        block_decay=1.0,
        warmup=0.0,
    )
    assert trained.record.kept == 'probe'
    tuned, probe = trained.record.fine_tune.val, trained.record.probe.val
    assert tuned.accuracy < probe.accuracy
    assert all(tiny.same(before, tiny.weights_of(base)).values())
    assert_equal(weights(trained), weights(probed))


def test_probe_is_kept_with_the_statistics_that_it_saw(
    probed: recipe.TrainedClassifier, tmp_path: pathlib.Path
) -> None:
    """Fine-tuned towards exchanged labels, with statistics that move and weights that average."""
    train_set = tiny.images(32)
    wrong = LabelledSet(train_set.values, 1 - train_set.labels, train_set.ids)
    base = tiny.backbone()
    before = tiny.weights_of(base)
    trained = train(
        tmp_path,
        base,
        images=lambda: (wrong, tiny.images(24, seed=1)),
        epochs=3,
        blocks='all',
        learning_rate=0.03,
        batch_norm='updated',
        average=0.2,
    )
    assert trained.record.fine_tune.val.accuracy < 0.5
    assert trained.record.kept == 'probe'
    assert all(tiny.same(before, tiny.weights_of(base)).values())
    assert_equal(weights(trained), weights(probed))


def test_fine_tuned_model_is_kept_where_it_is_better(tmp_path: pathlib.Path) -> None:
    """A blind base: all its features are the same, so the probe guesses and thawing must help."""
    base = tiny.backbone()
    first = base.blocks[0].layers[0]
    first.set_weights([np.zeros(first.kernel.shape), np.zeros(8)])
    train_set = tiny.images(96)
    trained = train(
        tmp_path,
        base,
        train_set,
        augmentation='none',
        blocks='all',
        epochs=6,
        learning_rate=0.03,
        block_decay=1.0,
        dropout=0.0,
    )
    tuned, probe = trained.record.fine_tune.val, trained.record.probe.val
    assert probe.accuracy == 0.5
    assert tuned.accuracy > 0.6
    assert trained.record.kept in ('fine_tuned', 'interpolated')
    scored = shipped(trained, tiny.images(24, seed=1)).accuracy
    assert scored == trained.record.val.accuracy > 0.6


def test_same_seed_same_weights(tuned: Tuned, tmp_path: pathlib.Path) -> None:
    other = train(tmp_path, **TUNE)
    assert_equal(weights(tuned.trained), weights(other))
    assert without_seconds(tuned.trained.record) == without_seconds(other.record)


def test_budget_for_everything_changes_nothing(tuned: Tuned, tmp_path: pathlib.Path) -> None:
    limited = train(tmp_path, budget='5h', **TUNE)
    assert_equal(weights(limited), weights(tuned.trained))
    assert without_seconds(limited.record) == without_seconds(tuned.trained.record)
    assert limited.record.left_out == ()
    assert limited.record.fine_tune.epochs == 2
    assert limited.record.fine_tune.blocks == 2


def test_without_time_for_fine_tuning_the_probe_is_kept(
    probed: recipe.TrainedClassifier, tmp_path: pathlib.Path
) -> None:
    base = tiny.backbone()
    before = tiny.weights_of(base)
    trained = train(tmp_path, base, budget='0.001s', epochs=2)
    assert trained.record.kept == 'probe'
    (left_out,) = trained.record.left_out
    assert re.fullmatch(r'fine-tuning, which needs about \d.*(s|min)', left_out)
    assert trained.record.augmentation is None  # no image was changed
    assert trained.record.fine_tune is None
    assert trained.record.val == probed.record.val
    assert trained.rule == probed.rule
    np.testing.assert_array_equal(trained.val_logits, probed.val_logits)
    assert all(tiny.same(before, tiny.weights_of(base)).values())
    assert_equal(weights(trained), weights(probed))


def test_balanced_classes_find_more_of_the_rare_one(tmp_path: pathlib.Path) -> None:
    """In the probe; `test_fine_tune` shows it for the second phase."""
    data = tiny.images(96)
    rare = data.take(np.flatnonzero((data.labels == 0) | (np.arange(96) % 16 == 1)))
    val = tiny.images(48, seed=1)

    def recall(weighting: Literal['none', 'balanced']) -> float:
        trained = train(
            tmp_path / weighting,
            train_set=rare,
            val_set=val,
            class_weights=weighting,
            mode='probe',
        )
        answers = trained.classifier.predict(val.values).argmax(axis=1)
        return float((answers == val.labels)[val.labels == 1].mean())

    assert recall('balanced') > recall('none') + 0.1


def test_class_weights_reach_both_phases(tmp_path: pathlib.Path) -> None:
    """At a rate of next to nothing, the loss of an epoch is the weighted one of the probe."""
    data = tiny.images(48)
    rare = data.take(np.flatnonzero((data.labels == 0) | (np.arange(48) % 8 == 1)))  # 24 and 6
    chosen: dict[str, Any] = {
        'train_set': rare,
        'augmentation': 'none',
        'class_weights': 'balanced',
        'epochs': 1,
        'blocks': 1,
        'learning_rate': 1e-12,
        'dropout': 0.0,
        'label_smoothing': 0.0,
    }
    probe_only = train(tmp_path / 'probe', mode='probe', **chosen)
    logits = probe_only.classifier.predict(rare.values).astype(float)
    losses = -scipy.special.log_softmax(logits, axis=1)[np.arange(30), rare.labels]
    record = train(tmp_path / 'tuned', **chosen).record
    assert record.probe == probe_only.record.probe
    expected = losses @ np.array([30 / 48, 30 / 12])[rare.labels] / 30
    (epoch,) = record.fine_tune.history
    assert epoch.train_loss == pytest.approx(expected, rel=1e-3)
    assert losses.mean() != pytest.approx(expected, rel=1e-2)  # else the weights would not show


@pytest.mark.parametrize('kind', ['top', 'blocks'])
def test_real_backbone_freezes_and_thaws(kind: Features, tmp_path: pathlib.Path) -> None:
    """MobileNetV2, the smallest, with random weights: the same promises as the tiny base."""
    base = backbones.build('mobilenet_v2_035', 32, 'random')
    for layer in base.model.layers:
        if hasattr(layer, 'moving_mean'):
            layer.momentum = 0.0  # one pass in training mode gives statistics that fit the images
    data = tiny.images(24, side=32)
    base.model(data.values.astype(np.float32), training=True)
    before = tiny.weights_of(base)
    val = tiny.images(8, side=32, seed=1)
    trained = train(tmp_path, base, data, val, epochs=1, blocks=2, learning_rate=1e-3, kind=kind)
    assert trained.classifier.head.kernel.shape[0] == feature_slices(base, kind)[-1][1].stop
    scored = shipped(trained, val)
    assert scored.accuracy == trained.record.val.accuracy
    assert scored.log_loss == pytest.approx(trained.record.val.log_loss, rel=1e-3)
    unchanged = tiny.same(before, tiny.weights_of(base))
    thawed = {v.path for block in base.blocks[-2:] for layer in block.layers for v in layer.weights}
    assert all(is_same for path, is_same in unchanged.items() if path not in thawed)
    assert all(is_same for path, is_same in unchanged.items() if 'moving' in path)
    kernels = {path: same for path, same in unchanged.items() if 'kernel' in path}
    as_before = any(kernels[path] for path in kernels.keys() & thawed)
    assert as_before is (trained.record.kept == 'probe')
