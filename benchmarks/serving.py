"""What one JPEG costs through `serving_bytes`, against decode + resize + a bare forward pass.

    nice .venv/bin/python -m benchmarks.serving --write

In one process, call by call in turn: `serving_bytes` of the exported model, and a `tf.function` of
the same decode and resize (`components.transform.preprocessing`) with the Keras model behind it,
its weights as variables, as one would write it by hand; and once more with the weights as
constants, as the export has them. Wall-clock time and CPU time of all threads; the ratio is taken
of medians. Then, a process each, what constants cost: size, seconds until the first answer, and
memory, of this export and of the same graph with variables.

The JPEG is drawn, 500 x 375 pixels, quality 90. Weights are random: the work is the same.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

import apache_beam as beam  # isort: skip
import tensorflow_transform.beam as tft_beam  # isort: skip

from thawline.components import backbones
from thawline.components.backbones import classifier
from thawline.components.evaluation import serving_cost
from thawline.components.export import warmup
from thawline.components.saved_model import network, signatures
from thawline.components.transform import preprocessing

RESULTS = pathlib.Path(__file__).with_suffix('.md')
CLASSES = ('defective', 'functional')
RESIZE = 'stretch'
_LOADING = """
import json, sys, time
import tensorflow as tf
def resident():
    return int(open('/proc/self/status').read().split('VmRSS:')[1].split()[0]) * 1024 / 1e6
before = resident()
began = time.perf_counter()
loaded = tf.saved_model.load(sys.argv[1])
there = time.perf_counter()
image = tf.constant([open(sys.argv[2], 'rb').read()])
loaded.signatures['serving_bytes'](image_bytes=image)['score'].numpy()
print(json.dumps([there - began, time.perf_counter() - there, resident() - before]))
"""


def transform_graph(folder: pathlib.Path, size: int) -> tft.TFTransformOutput:
    """Transform's output for images of this size."""
    rows = [
        {
            'image': [warmup.jpeg(warmup.picture(40, 30))],
            'label': [name.encode()],
            'image_id': [b''],
        }
        for name in CLASSES
    ]
    spec = {name: tf.io.FixedLenFeature([1], tf.string) for name in rows[0]}
    metadata = tft.DatasetMetadata.from_feature_spec(spec)

    def function(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return preprocessing.preprocessing_fn(inputs, {'image_size': size, 'resize': RESIZE})

    with beam.Pipeline(runner=FnApiRunner()) as root, tft_beam.Context(str(folder / 'temp')):
        data = root | beam.Create(rows)
        made = (data, metadata) | tft_beam.AnalyzeDataset(function)
        _ = made | tft_beam.WriteTransformFn(str(folder / 'graph'))
    return tft.TFTransformOutput(str(folder / 'graph'))


def timed(calls: dict[str, Callable[[], object]], n: int) -> dict[str, np.ndarray]:
    """Medians of wall-clock and CPU milliseconds of each call, float64 [2], taken in turn."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for turn in range(n + 5):
        for name, call in calls.items():
            started = time.perf_counter(), time.process_time()
            call()
            ended = time.perf_counter(), time.process_time()
            if turn >= 5:
                found[name].append((ended[0] - started[0], ended[1] - started[1]))
    return {name: 1000 * np.median(np.array(some), axis=0) for name, some in found.items()}


def loading(folder: pathlib.Path, image: pathlib.Path) -> list[float]:
    """Seconds to load, seconds to the first answer, and MB that both take, in a new process."""
    command = [sys.executable, '-I', '-c', _LOADING, str(folder), str(image)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(name: str, n: int) -> tuple[str, list[str]]:
    """A line of the first table and two of the second."""
    size = backbones.entry(name).default_size
    made = classifier.build(backbones.build(name, size, None), 'blocks', len(CLASSES), 0.2, seed=0)
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        graph = transform_graph(folder, size)
        encoded = warmup.jpeg(warmup.picture())
        (folder / 'image.jpg').write_bytes(encoded)
        signatures.export(made, CLASSES, graph, size, RESIZE, folder / 'constants')
        signatures.export(made, CLASSES, graph, size, RESIZE, folder / 'variables', most_constant=0)

        loaded = tf.saved_model.load(str(folder / 'constants'))
        images = tf.constant([encoded])
        constant = network.Network(made)
        spec = [tf.TensorSpec([None], tf.string)]

        @tf.function(input_signature=spec)
        def decoded(images: tf.Tensor) -> tf.Tensor:
            return preprocessing.pixels_from_bytes(images, size, RESIZE)

        @tf.function(input_signature=spec)
        def bare(images: tf.Tensor) -> tf.Tensor:
            pixels = preprocessing.pixels_from_bytes(images, size, RESIZE)
            return tf.nn.softmax(made.model(tf.cast(pixels, tf.float32), training=False))

        @tf.function(input_signature=spec)
        def folded(images: tf.Tensor) -> tf.Tensor:
            pixels = preprocessing.pixels_from_bytes(images, size, RESIZE)
            return tf.nn.softmax(constant.logits(tf.cast(pixels, tf.float32)))

        serve = loaded.signatures['serving_bytes']
        took = timed(
            {
                'decode': lambda: decoded(images).numpy(),
                'bare': lambda: bare(images).numpy(),
                'folded': lambda: folded(images).numpy(),
                'served': lambda: serve(image_bytes=images)['probabilities'].numpy(),
            },
            n,
        )
        wall, cpu = took['served'] / took['bare']
        against = (took['served'] / took['folded'])[1]
        cells = ' | '.join(f'{took[key][0]:.1f} ({took[key][1]:.1f})' for key in took)
        line = f'| {name} | {size} | {cells} | {wall:.2f} | {cpu:.2f} | {against:.2f} |'
        print(line, flush=True)
        costs = []
        for kind in ('constants', 'variables'):
            load, first, memory = loading(folder / kind, folder / 'image.jpg')
            megabytes = serving_cost.size_mb(str(folder / kind))
            costs.append(
                f'| {name} | {kind} | {megabytes:.1f} MB | {load:.1f} s | {first:.1f} s | '
                f'{memory:,.0f} MB |'
            )
            print(costs[-1], flush=True)
    return line, costs


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    bases = ['efficientnet_lite0', 'mobilenet_v2', 'resnet50']
    parser.add_argument('--bases', nargs='*', default=bases)
    parser.add_argument('--calls', type=int, default=100)
    parser.add_argument('--write', action='store_true', help=f'write {RESULTS.name}')
    arguments = parser.parse_args()
    found = [measure(name, arguments.calls) for name in arguments.bases]
    lines = [
        '# Serving: one JPEG through `serving_bytes`',
        '',
        '`python -m benchmarks.serving --write`; what is measured and how is said in '
        '[serving.py](serving.py).',
        '',
        f'Milliseconds, wall-clock (CPU), medians of {arguments.calls} calls in turn; one 500 x '
        '375 JPEG. The ratios are of `serving_bytes` to decode + resize + forward pass.',
        '',
        '| base | pixels | decode + resize | with bare forward pass | the same with constants | '
        '`serving_bytes` | ratio to bare | by CPU time | ratio to constants, by CPU time |',
        '|---|---|---|---|---|---|---|---|---|',
        *(line for line, _ in found),
        '',
        '| base | weights as | size | loading | first answer | memory |',
        '|---|---|---|---|---|---|',
        *(line for _, costs in found for line in costs),
    ]
    if arguments.write:
        RESULTS.write_text('\n'.join(lines) + '\n', 'utf-8')


if __name__ == '__main__':
    main()
