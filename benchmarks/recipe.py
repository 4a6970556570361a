"""Thawline's recipe against the plain Keras recipe: same images, split, base, weights and process.

The plain recipe is what the transfer learning tutorials teach: MobileNetV2 at 128 px, frozen, with
a dense layer of 128 and dropout 0.3, 5 epochs of Adam at 1e-3; then the layers from index 100 on
are thawed, 5 epochs of Adam at 1e-5. Both see the same decoded pixels in memory, so decoding is on
neither side. Seconds are wall-clock, imports excluded, building and compiling models included; the
bare forward pass over the training images once is given as the measure of the machine.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
import platform
import statistics
import tempfile
import time

import keras
import numpy as np
import sklearn.model_selection
import tensorflow as tf

from components import backbones
from components.training import checkpoint, dataset, params, recipe, scores
from components.transform import preprocessing

SIZE = 128
WEIGHTS = 'mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5'
RESULTS = pathlib.Path(__file__).with_suffix('.md')


@dataclasses.dataclass(frozen=True)
class Split:
    """Train, val and test of one seed."""

    train: dataset.ImageSet
    val: dataset.ImageSet
    test: dataset.ImageSet


def read(folder: pathlib.Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """All images of a folder a class, decoded and resized as in training."""
    classes = tuple(sorted(path.name for path in folder.iterdir() if path.is_dir()))
    files = [(f, i) for i, name in enumerate(classes) for f in sorted((folder / name).iterdir())]
    decoded = tf.function(
        lambda encoded: preprocessing.resize(preprocessing.decode(encoded), SIZE, 'stretch'),
        input_signature=[tf.TensorSpec([], tf.string)],
    )
    pixels = np.stack([decoded(file.read_bytes()).numpy() for file, _ in files])
    return pixels, np.array([label for _, label in files], np.int64), classes


def split(pixels: np.ndarray, labels: np.ndarray, seed: int) -> Split:
    """A stratified 70/15/15 split."""
    rows = np.arange(len(labels))
    train, rest = sklearn.model_selection.train_test_split(
        rows, test_size=0.3, stratify=labels, random_state=seed
    )
    val, test = sklearn.model_selection.train_test_split(
        rest, test_size=0.5, stratify=labels[rest], random_state=seed
    )
    ids = np.array([f'{row:06d}'.encode() for row in rows], object)
    parts = (dataset.ImageSet(pixels[r], labels[r], ids[r]) for r in (train, val, test))
    return Split(*parts)


def plain_keras(data: Split, classes: int, weights: pathlib.Path, seed: int) -> tuple[float, float]:
    """The tutorial's recipe: (test accuracy, seconds)."""
    keras.utils.set_random_seed(seed)
    started = time.monotonic()
    base = keras.applications.MobileNetV2(
        input_shape=(SIZE, SIZE, 3), include_top=False, weights=str(weights)
    )
    base.trainable = False
    inputs = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(inputs)
    x = keras.layers.GlobalAveragePooling2D()(base(x, training=False))
    x = keras.layers.Dense(128, activation='relu')(x)
    outputs = keras.layers.Dense(classes, activation='softmax')(keras.layers.Dropout(0.3)(x))
    model = keras.Model(inputs, outputs)

    def batches(part: dataset.ImageSet, shuffled: bool) -> tf.data.Dataset:
        made = tf.data.Dataset.from_tensor_slices((part.pixels, part.labels))
        if shuffled:
            made = made.shuffle(len(part), seed=seed)
        return made.batch(32).map(lambda p, y: (tf.cast(p, tf.float32), y)).prefetch(2)

    train, val, test = (batches(p, p is data.train) for p in (data.train, data.val, data.test))
    model.compile(
        keras.optimizers.Adam(1e-3), 'sparse_categorical_crossentropy', metrics=['accuracy']
    )
    model.fit(train, validation_data=val, epochs=5, verbose=0)
    base.trainable = True
    for layer in base.layers[:100]:
        layer.trainable = False
    model.compile(
        keras.optimizers.Adam(1e-5), 'sparse_categorical_crossentropy', metrics=['accuracy']
    )
    model.fit(train, validation_data=val, epochs=5, verbose=0)
    seconds = time.monotonic() - started
    return float(model.evaluate(test, verbose=0)[1]), seconds


def thawline(
    data: Split, classes: tuple[str, ...], weights: pathlib.Path, settings: params.Training
) -> tuple[float, float, dict]:
    """Thawline's recipe with its default settings: (test accuracy, seconds, record)."""
    started = time.monotonic()
    backbone = backbones.build('mobilenet_v2', SIZE, str(weights))
    with tempfile.TemporaryDirectory() as folder:
        kept = checkpoint.Checkpoint(pathlib.Path(folder, 'state'), 'benchmark')
        log = tf.summary.create_file_writer(folder)
        trained = recipe.train(backbone, classes, data.train, data.val, settings, kept, log)
    seconds = time.monotonic() - started
    reached = scores.score(trained.classifier.predict(data.test.pixels), data.test.labels)
    return reached.accuracy, seconds, trained.record


def forward_seconds(data: Split, weights: pathlib.Path) -> float:
    """One bare batched forward pass of the base over the training images, compiled beforehand."""
    base = backbones.build('mobilenet_v2', SIZE, str(weights)).model
    forward = tf.function(
        lambda images: base(tf.cast(images, tf.float32), training=False),
        input_signature=[tf.TensorSpec([None, SIZE, SIZE, 3], tf.uint8)],
    )
    forward(data.train.pixels[:64])
    started = time.monotonic()
    for start in range(0, len(data.train), 64):
        forward(data.train.pixels[start : start + 64])
    return time.monotonic() - started


def main() -> None:
    """Runs both on each seed and writes the results beside this file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--shared', type=pathlib.Path, default=pathlib.Path('../shared'))
    parser.add_argument('--sets', nargs='+', default=['flowers5'])
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--training', default='{}', help='JSON of settings other than the defaults')
    parser.add_argument('--write', action='store_true', help=f'write {RESULTS.name}')
    arguments = parser.parse_args()
    weights = (arguments.shared / 'weights' / WEIGHTS).resolve()
    lines = []
    for name in arguments.sets:
        pixels, labels, classes = read(arguments.shared / 'data' / name)
        rows = []
        for seed in arguments.seeds:
            data = split(pixels, labels, seed)
            forward = forward_seconds(data, weights)
            plain = plain_keras(data, len(classes), weights, seed)
            changes = json.loads(arguments.training) | {'seed': seed}
            settings = params.Training.model_validate(changes)
            accuracy, seconds, record = thawline(data, classes, weights, settings)
            probe = record['seconds']['probe']
            rows.append((plain[0], plain[1], accuracy, seconds, probe, forward))
            lines.append(
                f'| {name} | {seed} | {plain[0]:.3f} | {plain[1]:.0f} | {accuracy:.3f} | '
                f'{seconds:.0f} | {seconds / plain[1]:.2f} | {probe:.0f} | {record["kept"]} | '
                f'{forward:.1f} |'
            )
            print(lines[-1], flush=True)
        mean = [statistics.mean(column) for column in zip(*rows, strict=True)]
        lines.append(
            f'| **{name}** | mean | {mean[0]:.3f} | {mean[1]:.0f} | {mean[2]:.3f} | '
            f'{mean[3]:.0f} | {mean[3] / mean[1]:.2f} | {mean[4]:.0f} | | {mean[5]:.1f} |'
        )
        print(lines[-1], flush=True)
    if arguments.write:
        head = (
            '# Recipe against the plain Keras recipe\n\n'
            f'{" ".join((__doc__ or "").split(chr(10) * 2)[1].split())}\n\n'
            f'Command: `python -m benchmarks.recipe --sets {" ".join(arguments.sets)} --seeds '
            f'{" ".join(map(str, arguments.seeds))} --write`, '
            f'TensorFlow {tf.__version__}, Keras {keras.__version__}, {platform.machine()}, '
            f'{len(tf.config.list_physical_devices("GPU"))} GPUs.\n\n'
            '| set | seed | plain: test accuracy | plain: s | Thawline: test accuracy | '
            'Thawline: s | time ratio | of it probe: s | kept | bare forward: s |\n'
            '|---|---|---|---|---|---|---|---|---|---|\n'
        )
        RESULTS.write_text(head + '\n'.join(lines) + '\n', 'utf-8')


if __name__ == '__main__':
    main()
