"""What 40 more images cost a project of 10,000, and what the data path costs an image, by node.

Photographs of `shared/data/flowers5`, each cut out, turned and coloured otherwise, 300 pixels wide
or high, go through the chain up to the Embedder, each run in a process of its own:

    first       nothing is stored yet
    more        40 images are added to the first project
    no store    with --compare, the same images in another project, without the content store

Seconds are of the nodes that read images, of the clock and of the processor (all threads); the
start of Python and the nodes between them are in the whole command. Shares are of the processor's,
which other processes on the machine change less. The bare loop reads, decodes and resizes the same
files and runs the frozen base on them, in two threads, and writes nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from PIL import Image, ImageEnhance

RESULTS = pathlib.Path(__file__).with_suffix('.md')
NODES = ('ImageExampleGen', 'StatisticsGen', 'Transform', 'Embedder')
SIDE = 300
PROJECT = """name: growth
data: {{source: images, store: {{enabled: {store}}}}}
preprocessing: {{image_size: {size}}}
model: {{backbone: efficientnet_lite0, weights: package}}
training: {{mode: probe, augmentation: none}}
"""
BARE = 2_000  # images of the bare loop


def draw_images(source: pathlib.Path, folder: pathlib.Path, first: int, last: int) -> None:
    """Makes the images of these numbers, in a folder a class."""
    photographs = sorted(source.rglob('*.jpg'))
    for number in range(first, last):
        path = photographs[number % len(photographs)]
        target = folder / path.parent.name / f'{number:06}.jpg'
        target.parent.mkdir(parents=True, exist_ok=True)
        _changed(path, random.Random(number)).save(target, 'JPEG', quality=92)


def _changed(path: pathlib.Path, draw: random.Random) -> Image.Image:
    image = Image.open(path).convert('RGB')
    image = image.rotate(draw.choice((-25, -12, 0, 10, 20)), Image.Resampling.BILINEAR)
    share = draw.uniform(0.35, 0.75)
    width, height = round(image.width * share), round(image.height * share)
    left, top = draw.randint(0, image.width - width), draw.randint(0, image.height - height)
    scale = SIDE / max(width, height)
    box = (left, top, left + width, top + height)
    image = image.resize((round(width * scale), round(height * scale)), box=box)
    image = ImageEnhance.Brightness(image).enhance(draw.uniform(0.7, 1.3))
    return ImageEnhance.Color(image).enhance(draw.uniform(0.5, 1.5))


def run_nodes(home: pathlib.Path, last: str = 'Embedder') -> dict[str, tuple[float, float]]:
    """Runs a project up to a node: seconds of the clock and the processor, by node."""
    from thawline.pipeline.config import loading
    from thawline.pipeline.engines import engine as engine_lib
    from thawline.pipeline.runners import run as run_lib
    from thawline.pipeline.terminal import exit_codes

    seconds: dict[str, tuple[float, float]] = {}

    class Measured(engine_lib.Engine):
        """The engine of a run, that notes what its nodes take."""

        def place(self, node: str, megabytes: float, number: str) -> engine_lib.Placement:
            """As the base class."""
            self._node = node
            return super().place(node, megabytes, number)

        @contextlib.contextmanager
        def supervise(self, placement: engine_lib.Placement) -> Iterator[None]:
            """As the base class."""
            began = time.monotonic(), time.process_time()
            with super().supervise(placement):
                yield
            seconds[self._node] = time.monotonic() - began[0], time.process_time() - began[1]

    engine_lib.Engine = Measured  # type: ignore[misc]
    options = run_lib.RunOptions(last=(last,))
    outcome = run_lib.execute(loading.load_project(home), options)
    if outcome is not exit_codes.Outcome.BLESSED:  # it ran
        raise SystemExit(f'the run ended with {outcome.name}')
    return seconds


def run_bare(images: pathlib.Path, size: int) -> dict[str, tuple[float, float]]:
    """Seconds of the clock and the processor of a bare loop, for one image."""
    import tensorflow as tf

    from thawline.components.embedding.embeddings import EmbeddingSettings
    from thawline.components.embedding.feature_extractor import FeatureExtractor
    from thawline.components.shared.sample_depth import FULL_DEPTH
    from thawline.components.transform import preprocessing

    settings = EmbeddingSettings('efficientnet_lite0', 'package', size, 'blocks', 'none', 0, 0)
    base = FeatureExtractor(settings)
    square = preprocessing._square(size, 'stretch', FULL_DEPTH)
    files = [str(path) for path in sorted(images.rglob('*.jpg'))]
    random.Random(0).shuffle(files)

    def loop(some: list[str]) -> None:
        data = tf.data.Dataset.from_tensor_slices(some)
        data = data.map(lambda path: square(tf.io.read_file(path)), num_parallel_calls=2)
        for batch in data.batch(64, drop_remainder=True).prefetch(2):
            base._plain(batch).numpy()

    loop(files[:128])
    began = time.monotonic(), time.process_time()
    loop(files[:BARE])
    each = BARE // 64 * 64
    return {'bare': ((time.monotonic() - began[0]) / each, (time.process_time() - began[1]) / each)}


def in_process(what: str, folder: pathlib.Path, size: int) -> dict[str, tuple[float, float]]:
    """`run_nodes` or `run_bare` in a process of its own; `command`: its seconds of the clock."""
    began = time.monotonic()
    command = [sys.executable, '-m', 'benchmarks.growth', '--size', str(size), what, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    print(done.stdout, flush=True)
    seconds = json.loads(done.stdout.splitlines()[-1])
    return {**seconds, 'command': (time.monotonic() - began, 0.0)}


def table(runs: dict[str, dict[str, tuple[float, float]]], images: int, more: int) -> str:
    """Markdown of what was measured."""
    titles = {
        'no store': f'{images:,} images, no store',
        'first': f'{images:,} images, store empty',
        'more': f'{more} images added',
    }
    columns = [name for name in titles if name in runs]
    sums = {
        name: tuple(sum(runs[name][node][kind] for node in NODES) for kind in (0, 1))
        for name in columns
    }
    lines = [
        '| seconds of the clock (of the processor) | '
        f'{" | ".join(titles[name] for name in columns)} | '
        'share of the first run, by the processor |',
        '|---' * (len(columns) + 2) + '|',
    ]
    for node in NODES:
        cells = [f'{runs[name][node][0]:.1f} ({runs[name][node][1]:.1f})' for name in columns]
        share = f'{runs["more"][node][1] / runs["first"][node][1]:.1%}'
        lines.append(f'| {node} | {" | ".join(cells)} | {share} |')
    cells = [f'{sums[name][0]:.1f} ({sums[name][1]:.1f})' for name in columns]
    share = f'{sums["more"][1] / sums["first"][1]:.1%}'
    lines.append(f'| **ingestion to Embedder** | {" | ".join(cells)} | **{share}** |')
    cells = [f'{runs[name]["command"][0]:.0f}' for name in columns]
    lines.append(f'| whole command | {" | ".join(cells)} | |')
    bare = runs['bare']['bare']
    lines += [
        '',
        '| an image | milliseconds of the clock | of the processor |',
        '|---|---|---|',
        f'| bare loop | {1e3 * bare[0]:.1f} | {1e3 * bare[1]:.1f} |',
        f'| ingestion to Embedder | {1e3 * sums["first"][0] / images:.1f} | '
        f'{1e3 * sums["first"][1] / images:.1f} |',
        f'| ratio | {sums["first"][0] / images / bare[0]:.2f} | '
        f'{sums["first"][1] / images / bare[1]:.2f} |',
    ]
    return '\n'.join(lines)


def measure(given: argparse.Namespace, root: pathlib.Path) -> str:
    """All runs, in a folder with room; returns the table."""
    source = (given.data / 'flowers5').resolve()
    homes = {'first': root / 'first', 'no store': root / 'without'}
    for name, home in homes.items():
        home.mkdir(parents=True)
        text = PROJECT.format(size=given.size, store=str(name == 'first').lower())
        (home / 'thawline.yaml').write_text(text, 'utf-8')
    images = homes['first'] / 'images'
    draw_images(source, images, 0, given.images)
    runs = {
        'bare': in_process('bare', images, given.size),
        'first': in_process('nodes', homes['first'], given.size),
    }
    if given.compare:
        shutil.copytree(images, homes['no store'] / 'images', copy_function=os.link)
        runs['no store'] = in_process('nodes', homes['no store'], given.size)
        shutil.rmtree(homes['no store'])
    draw_images(source, images, given.images, given.images + given.more)
    runs['more'] = in_process('nodes', homes['first'], given.size)
    size = sum(f.stat().st_size for f in (homes['first'] / 'runs/growth/store').rglob('*.shard'))
    return f'{table(runs, given.images, given.more)}\n\nThe store takes {size / 1e6:,.0f} MB.'


def main() -> None:
    """Measures and prints; `--write` replaces the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('part', nargs='?', choices=('nodes', 'bare'), help='for its own use')
    parser.add_argument('folder', nargs='?', type=pathlib.Path, help='for its own use')
    parser.add_argument('--data', default='../shared/data', type=pathlib.Path)
    parser.add_argument('--images', default=10_000, type=int)
    parser.add_argument('--more', default=40, type=int)
    parser.add_argument('--size', default=224, type=int, help='pixels that the base sees')
    parser.add_argument('--compare', action='store_true', help='also without the store')
    parser.add_argument('--write', action='store_true')
    given = parser.parse_args()
    if given.part:
        part = run_nodes(given.folder) if given.part == 'nodes' else None
        print(json.dumps(part or run_bare(given.folder, given.size)))
        return
    with tempfile.TemporaryDirectory() as folder:
        found = measure(given, pathlib.Path(folder))
    text = (
        '# Data that grow\n\n'
        f'`python -m benchmarks.growth --images {given.images} --more {given.more} --size '
        f'{given.size} --write`; what is measured and how is said in [growth.py](growth.py).\n\n'
        f'efficientnet_lite0 at {given.size} pixels without views, {os.cpu_count()} cores.\n\n'
        f'{found}\n'
    )
    print(text)
    if given.write:
        RESULTS.write_text(text, 'utf-8')


if __name__ == '__main__':
    main()
