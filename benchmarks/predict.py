"""Batch prediction against a bare forward loop, what decoding costs, and its memory.

    nice .venv/bin/python -m benchmarks.predict --write

Throughput: in one process, over the same JPEGs of 500 x 375 pixels and the same exported model,
one after the other and again:

    forward   its function `probabilities` in batches of 64 on pixels that are in memory
    decoded   its signature `serving_bytes` in batches of 64 on encoded images that are in memory:
              what a bare loop has to do, one batch after the other
    predict   `thawline predict` from the list of files to the written CSV

The ratio is taken turn by turn, of wall-clock time and of the CPU time of all threads, which other
load on the machine changes little. Loading the model is on no side.

Canonicalising: milliseconds of one thread for the same JPEG, fully as ingestion does it, and by its
header as prediction does.

Memory: the peak of a process of its own that predicts n images, for growing n.

The images are drawn: sums of a few waves and noise, so that they compress about as photographs do.
"""

from __future__ import annotations

import argparse
import functools
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from PIL import Image

import tensorflow_transform.beam as tft_beam  # isort: skip
import apache_beam as beam  # isort: skip

from apache_beam.options.pipeline_options import PipelineOptions

from benchmarks import embedder
from thawline.components import backbones
from thawline.components.backbones import classifier as training
from thawline.components.bulk_prediction import listing
from thawline.components.ingestion import decoding
from thawline.components.ingestion.params import Columns
from thawline.components.saved_model import signatures
from thawline.components.shared import image_decoder
from thawline.components.transform import preprocessing
from thawline.pipeline.prediction import batch, encoded_images, model

RESULTS = pathlib.Path(__file__).with_suffix('.md')
WIDTH, HEIGHT = 500, 375
CLASSES = ('defective', 'functional')
BATCH = 64
BOUNDS = batch.SizeLimits(1024, 100_000_000)
_DIFFERENT = 200  # images; they are repeated under other names


def jpegs(n: int) -> list[bytes]:
    """Different images of 500 x 375 pixels."""
    found = []
    rng = np.random.default_rng(0)
    for pixels in (embedder.draw(1, WIDTH, rng)[0] for _ in range(n)):
        file = io.BytesIO()
        Image.fromarray(pixels[:HEIGHT]).save(file, 'JPEG', quality=90)
        found.append(file.getvalue())
    return found


def write_images(folder: pathlib.Path, n: int) -> list[bytes]:
    """Writes n files; returns the bytes of each."""
    folder.mkdir()
    different = jpegs(min(n, _DIFFERENT))
    for i in range(n):
        (folder / f'{i:06d}.jpg').write_bytes(different[i % len(different)])
    return [different[i % len(different)] for i in range(n)]


def exported(backbone: str, size: int, folder: pathlib.Path) -> pathlib.Path:
    """A model with random weights: the work is the same."""
    spec = {name: tf.io.FixedLenFeature([1], tf.string) for name in ('image', 'label', 'image_id')}
    rows = [
        {'image': [jpegs(1)[0]], 'label': [name.encode()], 'image_id': [b'']} for name in CLASSES
    ]
    function = functools.partial(
        preprocessing.preprocessing_fn, custom_config={'image_size': size, 'resize': 'stretch'}
    )
    options = PipelineOptions(list(embedder.BEAM))
    with beam.Pipeline(options=options) as root, tft_beam.Context(str(folder / 'temp')):
        metadata = tft.DatasetMetadata.from_feature_spec(spec)
        found = (root | beam.Create(rows), metadata) | tft_beam.AnalyzeDataset(function)
        _ = found | tft_beam.WriteTransformFn(str(folder / 'graph'))
    base = backbones.build(backbone, size, 'random')
    made = training.build(base, 'top', len(CLASSES), 0.2, seed=0)
    target = folder / 'model'
    signatures.export(
        made, CLASSES, tft.TFTransformOutput(str(folder / 'graph')), size, 'stretch', target
    )
    return target


def predict(images: pathlib.Path, saved: pathlib.Path, target: pathlib.Path) -> int:
    """The whole of it; returns how many images were predicted."""
    listed = listing.of_sources([str(images)], Columns())
    done = batch.predict(listed, str(saved), target, Columns(), BOUNDS, embedder.BEAM)
    return done.predicted


def throughput(backbone: str, size: int, n: int, repetitions: int) -> np.ndarray:
    """[turns, 3 (forward, decoded, predict), 2 (wall, CPU)] seconds."""
    turns = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        files = write_images(folder / 'images', n)
        saved = exported(backbone, size, folder)
        loaded = tf.saved_model.load(str(saved))
        several = tf.constant(files[:BATCH])
        pixels = preprocessing.pixels_from_bytes(several, size, 'stretch')

        def forward() -> None:
            for start in range(0, n, BATCH):
                loaded.probabilities(pixels[: min(BATCH, n - start)]).numpy()

        def decoded() -> None:
            for start in range(0, n, BATCH):
                some = tf.constant(files[start : start + BATCH])
                loaded.signatures['serving_bytes'](image_bytes=some)['probabilities'].numpy()

        def whole() -> None:
            assert predict(folder / 'images', saved, folder / 'out.csv') == n

        with model.load(str(saved)):
            for turn in range(repetitions + 1):
                here = [embedder.timed(work) for work in (forward, decoded, whole)]
                if turn:  # the first is for tracing
                    turns.append(here)
                    print(f'{size} px, wall and CPU seconds: {np.array(here).tolist()}', flush=True)
    return np.array(turns)


def milliseconds(work: Callable[[], object], repetitions: int = 200) -> float:
    """Median of one call in one thread."""
    times = []
    for _ in range(repetitions):
        started = time.thread_time()
        work()
        times.append(time.thread_time() - started)
    return 1000 * float(np.median(times))


def canonicalising() -> dict[str, float]:
    """CPU milliseconds an image of each way and step, in the thread that asks."""
    data, images = jpegs(1)[0], decoding.ImageSettings(BOUNDS.max_side, BOUNDS.max_pixels)
    return {
        'decoded by Pillow, as ingestion does': milliseconds(
            lambda: decoding.canonicalise(data, *images)
        ),
        'decoded once more by TensorFlow, as ingestion does': milliseconds(
            lambda: image_decoder.decode(tf.constant(data))
        ),
        'by its header, as prediction does': milliseconds(
            lambda: encoded_images.to_servable(data, images)
        ),
    }


def peak(images: pathlib.Path, saved: pathlib.Path) -> list[float]:
    """Peak resident MB of this process: before any image is predicted, and after."""
    with tempfile.TemporaryDirectory() as folder, model.load(str(saved)) as held:
        held.answers(jpegs(1))
        before = embedder._peak_so_far()
        predict(images, saved, pathlib.Path(folder, 'out.csv'))
    return [before, embedder._peak_so_far()]


def memory(numbers: list[int], backbone: str, size: int) -> list[list[float]]:
    """`peak` for each number of images, each in a process of its own."""
    found = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        saved = exported(backbone, size, folder)
        for n in numbers:
            write_images(folder / str(n), n)
            command = [sys.executable, '-m', 'benchmarks.predict', '--peak', str(folder / str(n))]
            command += [str(saved)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            found.append(json.loads(done.stdout.splitlines()[-1]))
    return found


def _share(one: np.ndarray, other: np.ndarray) -> str:
    shares = one / other
    return f'{np.median(shares):.1%} ({shares.min():.1%} to {shares.max():.1%})'


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--backbone', default='mobilenet_v2')
    parser.add_argument('--sizes', nargs='*', type=int, default=[128, 224])
    parser.add_argument('--images', type=int, default=2000, help='for throughput')
    parser.add_argument('--repetitions', type=int, default=5)
    parser.add_argument('--memory', nargs='*', type=int, default=[1000, 5000, 20_000])
    parser.add_argument('--peak', nargs=2, type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument('--write', action='store_true', help=f'write {RESULTS.name}')
    arguments = parser.parse_args()
    if arguments.peak:
        print(json.dumps(peak(*arguments.peak)))
        return

    lines = [
        '# Batch prediction: throughput and memory',
        '',
        '`python -m benchmarks.predict --write`; what is measured and how is said in '
        '[predict.py](predict.py).',
        '',
        f'{arguments.backbone}, {arguments.images:,} JPEGs of {WIDTH} x {HEIGHT}, batches of '
        f'{BATCH}, {os.cpu_count()} cores; medians of {arguments.repetitions} turns, milliseconds '
        'an image; shares with their range.',
        '',
        '| pixels | time | forward | decoded | predict | of the throughput of decoded | '
        'of that of forward |',
        '|---|---|---|---|---|---|---|',
    ]
    for size in arguments.sizes:
        found = throughput(arguments.backbone, size, arguments.images, arguments.repetitions)
        for place, kind in enumerate(('wall clock', 'CPU')):
            forward, decoded, whole = found[:, :, place].T
            each = 1000 / arguments.images * np.median(found[:, :, place], axis=0)
            cells = [f'{size}', kind, *(f'{value:.2f}' for value in each)]
            cells += [_share(decoded, whole), _share(forward, whole)]
            lines.append(f'| {" | ".join(cells)} |')
            print(lines[-1], flush=True)
    lines += ['', '| whether an image is canonical | CPU ms an image |', '|---|---|']
    steps = canonicalising()
    lines += [f'| {step} | {value:.2f} |' for step, value in steps.items()]
    if arguments.memory:
        lines += ['', '| images (128 px) | peak memory, model loaded | peak memory at the end |']
        lines.append('|---|---|---|')
        peaks = memory(arguments.memory, 'mobilenet_v2_035', 128)
        for n, (before, after) in zip(arguments.memory, peaks, strict=True):
            lines.append(f'| {n:,} | {before:,.0f} MB | {after:,.0f} MB |')
    print('\n'.join(lines))
    if arguments.write:
        RESULTS.write_text('\n'.join(lines) + '\n', 'utf-8')


if __name__ == '__main__':
    main()
