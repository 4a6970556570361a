"""The Embedder against a bare compiled forward pass, and its memory against the number of images.

    nice .venv/bin/python -m benchmarks.embedder --write

Throughput: in one process, over the same pixels, a `tf.function` of the base in batches of 64 on
pixels that are already in memory, and the Embedder's whole Beam pipeline (read gzipped TFRecords,
embed, write), one after the other and again; the ratio is taken pair by pair, of wall-clock time
and of the CPU time of all threads, which other load on the machine changes little. Building the
base and tracing are on neither side.

Memory: the peak of a process of its own that embeds n images with one augmented view each, for
growing n; one shard a run, as Transform writes it in one process.

The images are drawn: sums of a few waves and noise, so that they compress about as photographs do.
"""

from __future__ import annotations

import argparse
import functools
import json
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from apache_beam.options.pipeline_options import PipelineOptions

import apache_beam as beam  # isort: skip

from thawline.components.embedding import beam_pipeline, embeddings, feature_extractor
from thawline.components.shared.store_shards import key_of
from thawline.components.transform import examples, preprocessing

RESULTS = pathlib.Path(__file__).with_suffix('.md')
# As thawline.pipeline.config.project gives them to every Beam node.
BEAM = ('--runner=FnApiRunner', '--direct_running_mode=in_memory')


def settings(backbone: str, size: int, views: int) -> embeddings.EmbeddingSettings:
    """Random weights: the work is the same."""
    return embeddings.EmbeddingSettings(backbone, 'random', size, 'top', 'light', views, seed=0)


def draw(n: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """uint8 [n, size, size, 3]."""
    y, x = np.mgrid[:size, :size] / size
    waves = np.zeros((n, size, size, 1), np.float32)
    for _ in range(4):
        a, b, phase = rng.uniform(-9, 9, (3, n, 1, 1))
        waves += np.sin(a * x + b * y + phase)[..., None].astype(np.float32)
    pixels = 128 + 30 * waves + rng.normal(0, 6, (n, size, size, 3)).astype(np.float32)
    return pixels.clip(0, 255).astype(np.uint8)


def write(path: pathlib.Path, n: int, size: int) -> np.ndarray:
    """One shard as Transform writes it; at most 1,000 different images, in turn.

    Returns:
        The different images.
    """
    pixels = draw(min(n, 1000), size, np.random.default_rng(0))
    packed = preprocessing.pack(tf.constant(pixels)).numpy()
    options = tf.io.TFRecordOptions(compression_type='GZIP')
    with tf.io.TFRecordWriter(str(path), options) as writer:
        for i in range(n):
            example = tf.train.Example()
            feature = example.features.feature
            feature[preprocessing.PIXELS].bytes_list.value.append(packed[i % len(packed)])
            digest = key_of(packed[i % len(packed)])
            feature[preprocessing.PIXELS_DIGEST].bytes_list.value.append(digest)
            feature[preprocessing.IMAGE_ID].bytes_list.value.append(f'{i:032x}'.encode())
            feature[preprocessing.LABEL_INDEX].int64_list.value.append(i % 5)
            writer.write(example.SerializeToString())
    return pixels


def embed(shard: pathlib.Path, chosen: embeddings.EmbeddingSettings, out: pathlib.Path) -> None:
    """The whole Beam pipeline."""
    with beam.Pipeline(options=PipelineOptions(list(BEAM))) as root:
        beam_pipeline.embed(root, {'train': [str(shard)]}, chosen, str(out))


def timed(work: Callable[[], None]) -> np.ndarray:
    """Wall-clock seconds and CPU seconds: [2]."""
    started = time.perf_counter(), time.process_time()
    work()
    return np.array([time.perf_counter() - started[0], time.process_time() - started[1]])


def throughput(backbone: str, size: int, n: int, repetitions: int) -> np.ndarray:
    """[pairs, 2 (bare, Embedder), 2 (wall, CPU)] seconds."""
    chosen = settings(backbone, size, views=0)
    with tempfile.TemporaryDirectory() as folder, feature_extractor.preload(chosen) as base:
        shard = pathlib.Path(folder, 'shard.gz')
        pixels = np.resize(write(shard, n, size), (n, size, size, 3))  # repeats them in turn

        @tf.function(input_signature=[tf.TensorSpec([None, size, size, 3], tf.uint8)])
        def forward(images: tf.Tensor) -> tf.Tensor:
            features = base.backbone.model(tf.cast(images, tf.float32), training=False)
            return tf.reduce_mean(features, axis=[1, 2])

        def bare() -> None:
            for i in range(0, n, examples.BATCH):
                forward(pixels[i : i + examples.BATCH]).numpy()

        pairs = []
        for turn in range(repetitions + 1):
            out = pathlib.Path(folder, str(turn))
            here = timed(bare), timed(functools.partial(embed, shard, chosen, out))
            if turn:  # the first is for tracing
                pairs.append(here)
                print(f'{size} px, wall and CPU seconds: bare {here[0]}, Embedder {here[1]}')
    return np.array(pairs)


def _peak_so_far() -> float:
    """MB; not `ru_maxrss`, which a child process inherits from its parent on Linux."""
    status = pathlib.Path('/proc/self/status').read_text()
    return int(status.partition('VmHWM:')[2].split()[0]) / 1024


def peak(shard: pathlib.Path, backbone: str, size: int) -> list[float]:
    """Peak resident MB of this process: before anything is embedded, and after.

    Each image has one augmented view.
    """
    chosen = settings(backbone, size, views=1)
    with tempfile.TemporaryDirectory() as folder, feature_extractor.preload(chosen):
        before = _peak_so_far()
        embed(shard, chosen, pathlib.Path(folder))
    return [before, _peak_so_far()]


def _in_a_process(n: int, backbone: str, size: int) -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        shard = pathlib.Path(folder, 'shard.gz')
        write(shard, n, size)  # drawing takes more memory than embedding: not in that process
        command = [sys.executable, '-m', 'benchmarks.embedder', '--peak', str(shard)]
        command += ['--backbone', backbone, '--sizes', str(size)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--backbone', default='mobilenet_v2')
    parser.add_argument('--sizes', nargs='*', type=int, default=[128, 224])
    parser.add_argument('--images', type=int, default=5000, help='for throughput')
    parser.add_argument('--repetitions', type=int, default=5)
    parser.add_argument('--memory', nargs='*', type=int, default=[1000, 5000, 20000])
    parser.add_argument('--peak', type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument('--write', action='store_true', help=f'write {RESULTS.name}')
    arguments = parser.parse_args()
    if arguments.peak:
        print(json.dumps(peak(arguments.peak, arguments.backbone, arguments.sizes[0])))
        return

    lines = [
        '# The Embedder: throughput and memory',
        '',
        '`python -m benchmarks.embedder --write`; what is measured and how is said in '
        '[embedder.py](embedder.py).',
        '',
        f'{arguments.backbone}, {arguments.images} images, batches of {examples.BATCH}; '
        f'medians of {arguments.repetitions} alternating pairs; milliseconds an image.',
        '',
        '| pixels | bare forward pass | Embedder | share of the bare throughput | range | '
        'share by CPU time | range |',
        '|---|---|---|---|---|---|---|',
    ]
    for size in arguments.sizes:
        found = throughput(arguments.backbone, size, arguments.images, arguments.repetitions)
        bare, whole = 1000 / arguments.images * np.median(found[:, :, 0], axis=0)
        shares = found[:, 0] / found[:, 1]  # [pairs, 2]
        cells = [
            f'{np.median(share):.1%} | {share.min():.1%} to {share.max():.1%}' for share in shares.T
        ]
        lines.append(f'| {size} | {bare:.2f} | {whole:.2f} | {" | ".join(cells)} |')
        print(lines[-1], flush=True)
    lines += [
        '',
        '| images (128 px, 2 views each) | peak memory, base built | peak memory at the end |',
        '|---|---|---|',
    ]
    for n in arguments.memory:
        before, after = _in_a_process(n, 'mobilenet_v2_035', 128)
        lines.append(f'| {n:,} | {before:,.0f} MB | {after:,.0f} MB |')
        print(lines[-1], flush=True)
    if arguments.write:
        RESULTS.write_text('\n'.join(lines) + '\n', 'utf-8')


if __name__ == '__main__':
    main()
