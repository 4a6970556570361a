"""The competitors that are not Thawline's (`thawline`): the plain Keras recipe, and from scratch.

Seconds are wall-clock within one process. Imports and decoding are on no side; building, compiling,
embedding and every look at val that the recipe itself takes are on each. Scoring test and train is
on none: the clock is stopped, or it happens afterwards.
"""

from __future__ import annotations

import dataclasses
import gc
import math
import pathlib
import time

import keras
import tensorflow as tf

from benchmarks.images import Parts
from thawline.components import backbones
from thawline.components.backbones import classifier
from thawline.components.shared.labelled_set import LabelledSet

PLAIN_SIZE = 128
_FILES = {
    'mobilenet_v2': 'mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5',
    'mobilenet_v2_035': 'mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5',
}


@dataclasses.dataclass(frozen=True)
class Base:
    """A pretrained base at one size, as `components.backbones.build` takes it."""

    name: str
    weights: str
    size: int


def base(name: str, shared: pathlib.Path, size: int | None = None) -> Base:
    """A base with the weights that are at hand, at its default size unless one is given."""
    entry = backbones.entry(name)
    weights = entry.weights[-1]
    if name in _FILES:
        weights = str((shared / 'weights' / _FILES[name]).resolve())
    return Base(name, weights, size or entry.default_size)


def forward_seconds(chosen: Base, part: LabelledSet) -> float:
    """One bare batched forward pass of the base over images in memory, compiled beforehand."""
    fresh(0)
    network = backbones.build(chosen.name, chosen.size, chosen.weights).model
    forward = tf.function(
        lambda pixels: network(tf.cast(pixels, tf.float32), training=False),
        input_signature=[tf.TensorSpec([None, chosen.size, chosen.size, 3], tf.uint8)],
    )
    forward(part.values[:64])
    started = time.monotonic()
    for start in range(0, len(part), 64):
        forward(part.values[start : start + 64]).numpy()
    return time.monotonic() - started


@dataclasses.dataclass(frozen=True)
class Point:
    """What was ready after so many seconds; `test` is NaN where it was not looked at."""

    seconds: float
    val: float
    test: float = math.nan


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Accuracies of the final model, all on plain images, and how it came there.

    `train` is NaN where it was not asked for. `points` are in order of time; the last is the end.
    """

    train: float
    val: float
    test: float
    seconds: float
    points: tuple[Point, ...]

    def seconds_to(self, accuracy: float, split: str) -> float | None:
        """When the first model with this accuracy on 'val' or 'test' was ready."""
        # Keras counts in float32; no split has a million images.
        reached = (p.seconds for p in self.points if getattr(p, split) >= accuracy - 1e-6)
        return next(reached, None)


def fresh(seed: int) -> None:
    """Nothing of an earlier competitor stays in memory; the same random state for each."""
    keras.utils.clear_session(free_memory=True)
    gc.collect()
    keras.utils.set_random_seed(seed)


@dataclasses.dataclass(frozen=True)
class Phase:
    """Adam at `rate` for `epochs`; layers of the base from `thawed` on train, or none."""

    thawed: int | None
    rate: float
    epochs: int


# What the transfer learning tutorials teach.
FROZEN = Phase(None, 1e-3, 5)
TUNED = Phase(100, 1e-5, 5)


class _Clock(keras.callbacks.Callback):
    """Notes val accuracy and time after each epoch."""

    def __init__(self, started: float) -> None:
        super().__init__()
        self._started = started
        self.points: list[Point] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        passed = time.monotonic() - self._started
        self.points.append(Point(passed, float((logs or {})['val_accuracy'])))


def _batches(part: LabelledSet, shuffled_by: int | None = None) -> tf.data.Dataset:
    made = tf.data.Dataset.from_tensor_slices((part.values, part.labels))
    if shuffled_by is not None:
        made = made.shuffle(len(part), seed=shuffled_by)
    return made.batch(32).map(lambda p, y: (tf.cast(p, tf.float32), y)).prefetch(2)


def plain(
    parts: Parts,
    classes: int,
    weights: str | None,
    seed: int,
    phases: tuple[Phase, ...] = (FROZEN, TUNED),
    stored_statistics: bool = False,
    on_train: bool = False,
) -> Outcome:
    """MobileNetV2, mean pooling, a dense layer of 128, dropout 0.3; `phases` one after the other.

    Args:
        parts: the images.
        classes: how many.
        weights: a file, or None for random ones.
        seed: of the weights, the order of the images and dropout.
        phases: of the training; batches of 32, no augmentation.
        stored_statistics: normalise thawed layers by the stored statistics in the second phase. The
            tutorials ask for that by `base(x, training=False)`, which Keras 3.15 overrides (see
            `components.backbones.classifier.InferenceMode`); False leaves it as Keras runs it.
        on_train: also score the train images, as they are.
    """
    fresh(seed)
    started = time.monotonic()
    side = parts.train.values.shape[1]
    network = keras.applications.MobileNetV2(
        input_shape=(side, side, 3), include_top=False, weights=weights
    )
    if weights is None:
        for layer in network.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                # 0.999, the architecture's own, is for the million steps of ImageNet: after some
                # hundred the statistics are still the initial ones and val is at chance.
                layer.momentum = 0.9
    inputs = keras.Input((side, side, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(inputs)
    if weights is None:
        x = network(x)
    elif stored_statistics:
        x = classifier.InferenceMode(network)(x)
    else:
        x = network(x, training=False)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(128, activation='relu')(x)
    outputs = keras.layers.Dense(classes, activation='softmax')(keras.layers.Dropout(0.3)(x))
    whole = keras.Model(inputs, outputs)
    train, val = _batches(parts.train, seed), _batches(parts.val)
    clock = _Clock(started)
    for phase in phases:
        network.trainable = phase.thawed is not None
        for layer in network.layers[: phase.thawed or 0]:
            layer.trainable = False
        whole.compile(
            keras.optimizers.Adam(phase.rate),
            'sparse_categorical_crossentropy',
            metrics=['accuracy'],
        )
        whole.fit(
            train,
            validation_data=val,
            epochs=phase.epochs,
            verbose=0,
            callbacks=[clock],
            shuffle=False,  # `train` shuffles itself
        )
    passed = time.monotonic() - started

    def accuracy(part: LabelledSet) -> float:
        return float(whole.evaluate(_batches(part), verbose=0)[1])

    test = accuracy(parts.test)
    last = clock.points[-1]
    points = (*clock.points[:-1], Point(passed, last.val, test))
    fitted = accuracy(parts.train) if on_train else math.nan
    return Outcome(fitted, last.val, test, passed, points)


def scratch(parts: Parts, classes: int, seed: int, epochs: int, on_train: bool = True) -> Outcome:
    """The same network with random weights, all of it trained by Adam at 1e-3."""
    phases = (Phase(0, 1e-3, epochs),)
    return plain(parts, classes, None, seed, phases, on_train=on_train)
