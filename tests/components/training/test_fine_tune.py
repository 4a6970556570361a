"""Fine-tuning: what freezes, how fast each block moves, and that a killed training goes on."""

from __future__ import annotations

import math
import pathlib
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from components import backbones, progress
from components.training import checkpoint, dataset, fine_tune, model, params, scores
from components.training import optimizer as optimizer_lib
from tests.components.training import tiny


def settings(seed: int = 0, batch_size: int = 8, **tune: Any) -> params.Training:
    # Said in full: what is tested must not change with the defaults.
    base: dict[str, Any] = {
        'epochs': 2,
        'blocks': 2,
        'learning_rate': 1e-2,
        'block_decay': 0.8,
        'warmup': 0.1,
        'weight_decay': 1e-4,
        'dropout': 0.2,
        'label_smoothing': 0.1,
        'patience': 10,
        'batch_norm': 'affine',
    }
    return params.Training(
        seed=seed,
        batch_size=batch_size,
        augmentation='light',
        fine_tune=params.FineTune(**{**base, **tune}),
    )


def nothing(epoch: fine_tune.Epoch) -> None:
    del epoch


def run(
    classifier: model.Classifier,
    folder: pathlib.Path,
    chosen: params.Training,
    train: dataset.ImageSet | None = None,
    val: dataset.ImageSet | None = None,
) -> fine_tune.FineTuned:
    return fine_tune.run(
        classifier,
        tiny.images(24) if train is None else train,
        tiny.images(16, seed=1) if val is None else val,
        chosen,
        checkpoint.Checkpoint(folder, 'key'),
        nothing,
    )


@pytest.mark.parametrize('batch_norm', ['frozen', 'affine'])
def test_only_thawed_blocks_change_and_batchnorm_statistics_never(
    batch_norm: str, tmp_path: pathlib.Path
) -> None:
    classifier = tiny.classifier()
    before = tiny.weights_of(classifier.backbone)
    head = classifier.head.get_weights()
    run(classifier, tmp_path, settings(batch_norm=batch_norm))
    unchanged = tiny.same(before, tiny.weights_of(classifier.backbone))
    for path, is_same in unchanged.items():
        block, weight = path.split('_')[0], path.split('/')[-1]
        thawed = block in ('block2', 'block3')
        trained = weight in ('kernel', 'bias') or (
            weight in ('gamma', 'beta') and batch_norm == 'affine'
        )
        assert is_same == (not (thawed and trained)), path
    assert sum(not is_same for is_same in unchanged.values()) == (
        8 if batch_norm == 'affine' else 4
    )
    assert all((a != b).any() for a, b in zip(head, classifier.head.get_weights(), strict=True))


def test_all_blocks_and_more_blocks_than_there_are(tmp_path: pathlib.Path) -> None:
    for number, blocks in enumerate(('all', 99)):
        classifier = tiny.classifier()
        before = tiny.weights_of(classifier.backbone)
        run(classifier, tmp_path / str(number), settings(epochs=1, blocks=blocks))
        unchanged = tiny.same(before, tiny.weights_of(classifier.backbone))
        kernels = {path: is_same for path, is_same in unchanged.items() if 'kernel' in path}
        assert not any(kernels.values())


def test_block_rates_fall_towards_the_stem() -> None:
    assert optimizer_lib.block_multiples(0.5, 3) == [0.25, 0.5, 1.0]
    assert optimizer_lib.block_multiples(1.0, 2) == [1.0, 1.0]
    assert optimizer_lib.block_multiples(0.5, 1) == [1.0]


def built_optimizer(
    classifier: model.Classifier, steps: int = 10, **tune: Any
) -> keras.optimizers.Optimizer:
    """The optimizer of all blocks, built for the classifier's trainable variables."""
    chosen = settings(blocks='all', **tune).fine_tune
    backbones.set_trainable(classifier.backbone, tiny.BLOCKS, chosen.batch_norm)
    optimizer = optimizer_lib.build(classifier, chosen, tiny.BLOCKS, steps)
    optimizer.build(classifier.model.trainable_variables)
    return optimizer


def step(
    classifier: model.Classifier, optimizer: keras.optimizers.Optimizer, gradient: float
) -> dict[str, np.ndarray]:
    """Applies the same gradient to every element; returns the change of each variable."""
    variables = classifier.model.trainable_variables
    before = [np.array(v.value) for v in variables]
    optimizer.apply([tf.fill(v.shape, gradient) for v in variables], variables)
    return {v.path: np.array(v.value) - b for v, b in zip(variables, before, strict=True)}


def test_measured_updates_follow_the_block_rates() -> None:
    """Adam's first step moves every weight by the rate itself, whatever the gradient."""
    classifier = tiny.classifier()
    optimizer = built_optimizer(
        classifier, learning_rate=0.01, block_decay=0.5, weight_decay=0.0, warmup=0.0
    )
    changes = step(classifier, optimizer, 0.3)
    assert len(changes) == tiny.BLOCKS * 4 + 2
    for path, change in changes.items():
        block = int(path[5]) if path.startswith('block') else tiny.BLOCKS - 1
        expected = -0.01 * 0.5 ** (tiny.BLOCKS - 1 - block)
        np.testing.assert_allclose(change, expected, rtol=1e-3, err_msg=path)


def test_rate_warms_up_and_falls_to_zero() -> None:
    classifier = tiny.classifier()
    optimizer = built_optimizer(
        classifier, steps=20, learning_rate=0.01, weight_decay=0.0, warmup=0.25
    )
    # A constant gradient keeps Adam's quotient at 1, so each step's size is the rate at that step.
    sizes = [-step(classifier, optimizer, 0.3)['head/bias'].mean() for _ in range(21)]
    warm = [0.01 * i / 5 for i in range(5)]
    falling = [0.01 * (1 + math.cos(math.pi * i / 15)) / 2 for i in range(16)]
    np.testing.assert_allclose(sizes, warm + falling, rtol=1e-2, atol=1e-6)


def test_weight_decay_spares_biases_and_batchnorm_scales() -> None:
    classifier = tiny.classifier()
    for variable in classifier.model.trainable_variables:
        variable.assign(tf.fill(variable.shape, 2.0))
    optimizer = built_optimizer(
        classifier, learning_rate=0.1, block_decay=0.5, weight_decay=0.25, warmup=0.0
    )
    variables = classifier.model.trainable_variables
    for variable in variables:
        variable.assign(tf.fill(variable.shape, 2.0))
    changes = step(classifier, optimizer, 0.0)
    for path, change in changes.items():
        if not path.endswith('kernel'):
            assert not change.any(), path
            continue
        block = int(path[5]) if path.startswith('block') else tiny.BLOCKS - 1
        rate = 0.1 * 0.5 ** (tiny.BLOCKS - 1 - block)
        np.testing.assert_allclose(change, -rate * 0.25 * 2.0, rtol=1e-5, err_msg=path)


def test_best_epoch_is_restored_and_training_stops_early(tmp_path: pathlib.Path) -> None:
    """With the labels of val exchanged, learning makes val worse: no later epoch is better."""
    val = tiny.images(16, seed=1)
    val = dataset.ImageSet(val.pixels, 1 - val.labels, val.ids)
    classifier = tiny.classifier(dropout=0.0)
    tuned = run(classifier, tmp_path, settings(epochs=8, patience=2), tiny.images(48), val)
    reached = [scores.Scores(epoch.val_accuracy, epoch.val_loss, 16) for epoch in tuned.history]
    assert reached[tuned.best_epoch - 1] == tuned.val
    assert not any(one.better_than(tuned.val) for one in reached)
    assert [epoch.epoch for epoch in tuned.history] == list(range(1, tuned.best_epoch + 3))
    assert len(tuned.history) < 8
    # The weights are those of the best epoch: predicting again gives its scores again.
    again = scores.score(classifier.predict(val.pixels), val.labels)
    assert again.accuracy == tuned.val.accuracy
    assert again.log_loss == pytest.approx(tuned.val.log_loss, rel=1e-6)


class Killed(BaseException):
    """What ends a training in the middle; no handler of ordinary errors may catch it."""


class TestResume:
    """A killed training ends where an undisturbed one ends."""

    EPOCHS = 4
    STEPS = 3  # of 24 images in batches of 8

    def chosen(self) -> params.Training:
        return settings(epochs=self.EPOCHS, weight_decay=0.01)

    def undisturbed(self, folder: pathlib.Path) -> tuple[fine_tune.FineTuned, list[np.ndarray]]:
        classifier = tiny.classifier()
        tuned = run(classifier, folder, self.chosen())
        return tuned, [np.array(w) for w in classifier.model.get_weights()]

    def assert_resumes(self, folder: pathlib.Path, epochs_kept: int) -> None:
        expected, weights = self.undisturbed(folder / 'other')
        state = checkpoint.Checkpoint(folder, 'key').load()
        assert state is not None and len(state.meta['history']) == epochs_kept
        classifier = tiny.classifier()
        # The resumed process starts from a head and base fitted anew, and other random state.
        keras.utils.set_random_seed(99)
        seen: list[int] = []
        steps: list[progress.Progress] = []
        with progress.listening(steps.append):
            tuned = fine_tune.run(
                classifier,
                tiny.images(24),
                tiny.images(16, seed=1),
                self.chosen(),
                checkpoint.Checkpoint(folder, 'key'),
                lambda epoch: seen.append(epoch.epoch),
            )
        assert seen == [1, 2, 3, 4]  # the curves show the epochs before the kill too
        assert steps[1].done == epochs_kept * self.STEPS  # and none of them was trained again
        assert tuned == expected
        for found, wanted in zip(classifier.model.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(np.array(found), wanted)

    def test_killed_between_epochs(self, tmp_path: pathlib.Path) -> None:
        def kill(epoch: fine_tune.Epoch) -> None:
            if epoch.epoch == 3:
                raise Killed

        with pytest.raises(Killed):
            fine_tune.run(
                tiny.classifier(),
                tiny.images(24),
                tiny.images(16, seed=1),
                self.chosen(),
                checkpoint.Checkpoint(tmp_path, 'key'),
                kill,
            )
        self.assert_resumes(tmp_path, epochs_kept=2)  # the epoch of the kill was not yet kept

    def test_killed_within_an_epoch(self, tmp_path: pathlib.Path) -> None:
        def kill(now: progress.Progress) -> None:
            if now.done == 2 * self.STEPS + 2:
                raise Killed

        with pytest.raises(Killed), progress.listening(kill):
            run(tiny.classifier(), tmp_path, self.chosen())
        self.assert_resumes(tmp_path, epochs_kept=2)

    def test_complete_state_trains_nothing_more(self, tmp_path: pathlib.Path) -> None:
        expected = run(tiny.classifier(), tmp_path, self.chosen())
        self.assert_resumes(tmp_path, epochs_kept=self.EPOCHS)
        assert len(expected.history) == self.EPOCHS


def test_loss_that_is_not_finite_names_the_learning_rate(tmp_path: pathlib.Path) -> None:
    classifier = tiny.classifier()
    kernel, bias = classifier.head.get_weights()
    classifier.set_head(np.full_like(kernel, np.inf), bias)
    with pytest.raises(FloatingPointError, match='lower training.fine_tune.learning_rate .*0.01'):
        run(classifier, tmp_path, settings())


def test_predictions_that_are_not_finite_name_the_learning_rate(tmp_path: pathlib.Path) -> None:
    """The last step of an epoch can break the model after a loss that was finite: val shows it."""
    classifier = tiny.classifier()
    for layer in classifier.backbone.model.layers[2:]:
        if isinstance(layer, keras.layers.Conv2D):  # a base that passes brightness on, from 0
            layer.set_weights([np.full(layer.kernel.shape, 0.1), np.zeros(8)])
        elif isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([np.ones(8), np.zeros(8), np.zeros(8), np.ones(8)])
    classifier.set_head(np.full((8, 2), 3e38), np.zeros(2))
    black, white = (_plain(value) for value in (0, 255))
    with pytest.raises(FloatingPointError, match='lower training.fine_tune.learning_rate'):
        run(classifier, tmp_path, settings(epochs=1), black, white)


def _plain(value: int) -> dataset.ImageSet:
    data = tiny.images(8)
    return dataset.ImageSet(np.full_like(data.pixels, value), data.labels, data.ids)
