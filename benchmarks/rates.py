"""What one image costs in each data-parallel node: seconds of the processor, and bytes written.

Photographs of `shared/data/flowers5` through the chain in this process, first few, then many: the
difference is what images cost, the rest is what a node costs whatever it reads. Seconds are of
the processor and of all its threads, so that they tell on a busy machine too; those of the clock
are fewer where TensorFlow keeps several cores busy. Less than a millisecond an image is noise.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import os
import pathlib
import tempfile
import time
from collections.abc import Iterator

from thawline.pipeline.config import loading
from thawline.pipeline.engines import engine as engine_lib
from thawline.pipeline.runners import run as run_lib
from thawline.pipeline.terminal import exit_codes

RESULTS = pathlib.Path(__file__).with_suffix('.md')
# Node -> the output whose bytes count.
NODES = {
    'ImageExampleGen': 'examples',
    'StatisticsGen': 'statistics',
    'Transform': 'transformed_examples',
    'Embedder': 'embeddings',
    'Evaluator': 'evaluation',
}
PROJECT = """name: rates
data: {{source: images.csv, root: '{root}'}}
preprocessing: {{image_size: {size}}}
model: {{backbone: efficientnet_lite0, weights: package}}
embedding: {{views: 0}}
training: {{mode: probe, augmentation: none}}
"""


class Measured(engine_lib.Engine):
    """The engine of a run, that notes what its nodes take.

    Attributes:
        seconds: of the processor, by node.
    """

    seconds: dict[str, float] = {}

    def place(self, node: str, megabytes: float, number: str) -> engine_lib.Placement:
        """As the base class."""
        self._node = node
        return super().place(node, megabytes, number)

    @contextlib.contextmanager
    def supervise(self, placement: engine_lib.Placement) -> Iterator[None]:
        """As the base class."""
        began = time.process_time()
        with super().supervise(placement):
            yield
        self.seconds[self._node] = time.process_time() - began


def chosen(root: pathlib.Path, number: int) -> list[tuple[str, str]]:
    """Paths and labels of photographs, of each class as many."""
    classes = [sorted(one.glob('*.jpg')) for one in sorted(root.iterdir()) if one.is_dir()]
    found = [file for row in zip(*classes, strict=False) for file in row][:number]
    if len(found) < number:
        raise SystemExit(f'{root} has {len(found)} photographs that can be used, not {number}')
    return [(str(file.relative_to(root)), file.parent.name) for file in found]


def measure(root: pathlib.Path, number: int, size: int) -> dict[str, tuple[float, float]]:
    """Seconds of the processor and bytes written, by node; of reading, bytes read."""
    with tempfile.TemporaryDirectory() as made:
        home = pathlib.Path(made)
        (home / 'thawline.yaml').write_text(PROJECT.format(root=root, size=size), 'utf-8')
        images = chosen(root, number)
        with (home / 'images.csv').open('w', encoding='utf-8', newline='') as file:
            csv.writer(file).writerows([('path', 'label'), *images])
        Measured.seconds = {}
        engine_lib.Engine = Measured  # type: ignore[misc]
        project = loading.load_project(home)
        outcome = run_lib.execute(project, run_lib.RunOptions(last=('Evaluator',)))
        if outcome not in (exit_codes.Outcome.BLESSED, exit_codes.Outcome.NOT_BLESSED):
            raise SystemExit(f'the run ended with {outcome.name}')
        found = {'the photographs': (0.0, float(sum((root / p).stat().st_size for p, _ in images)))}
        for node, key in NODES.items():
            files = (project.artifacts / node / key).rglob('*')
            written = sum(file.stat().st_size for file in files if file.is_file())
            found[node] = Measured.seconds[node], float(written)
        print(found, flush=True)
        return found


def table(found: dict[int, dict[str, tuple[float, float]]]) -> str:
    """Markdown, of measurements by the number of images."""
    (few, less), (many, more) = sorted(found.items())
    lines = [
        '| node | milliseconds an image | seconds whatever it reads | kB an image |',
        '|---|---|---|---|',
    ]
    for node, (seconds, size) in more.items():
        each = max(0.0, (seconds - less[node][0]) / (many - few))
        times = f'{1e3 * each:.1f} | {seconds - many * each:.1f}' if seconds else ' | '
        lines.append(f'| {node} | {times} | {(size - less[node][1]) / (many - few) / 1e3:.1f} |')
    return '\n'.join(lines)


def main() -> None:
    """Measures and prints; `--write` replaces the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', default='../shared/data', type=pathlib.Path)
    parser.add_argument('--images', default=(60, 660), type=int, nargs=2)
    parser.add_argument('--size', default=224, type=int, help='pixels that the base sees')
    parser.add_argument('--write', action='store_true')
    given = parser.parse_args()
    root = (given.data / 'flowers5').resolve()
    few, many = sorted(given.images)
    measure(root, few, given.size)  # what TensorFlow and Beam do once in a process
    found = {number: measure(root, number, given.size) for number in (few, many)}
    text = (
        '# What an image costs\n\n'
        f'`python -m benchmarks.rates --images {few} {many} --size {given.size} --write`; what is '
        'measured and how is said in [rates.py](rates.py).\n\n'
        f'efficientnet_lite0 at {given.size} pixels without views, {os.cpu_count()} cores; seconds '
        f'are of the processor.\n\n{table(found)}\n'
    )
    print(text)
    if given.write:
        RESULTS.write_text(text, 'utf-8')


if __name__ == '__main__':
    main()
