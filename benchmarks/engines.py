"""What engines cost: the data-parallel nodes of the solar cells on each of them, on one machine.

Up to and with the Embedder, each engine from nothing and with the same number of workers, whatever
`auto` would have taken. Seconds of the clock tell only on a machine that does nothing else; seconds
of the processor, of the run and all that it started, tell on any. Flink is left out: its own
processes outlive the run (`make flink-demo` measures it).
"""

from __future__ import annotations

import argparse
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

from thawline import ROOT

RESULTS = pathlib.Path(__file__).with_suffix('.md')
ENGINES = ('local', 'multiprocess', 'portable')
NODES = ('ImageExampleGen', 'StatisticsGen', 'Transform', 'Embedder')
PROJECT = """name: cells
data: {{source: '{source}'}}
preprocessing: {{image_size: 128}}
model: {{backbone: efficientnet_lite0, weights: package}}
embedding: {{views: 0}}
training: {{mode: probe, augmentation: none}}
beam: {{engine: {engine}, workers: {workers}}}
"""


def measure(source: str, engine: str, workers: int) -> dict[str, float]:
    """Seconds of the clock by node and in all, of the processor in all, and megabytes read."""
    with tempfile.TemporaryDirectory() as made:
        folder = pathlib.Path(made)
        text = PROJECT.format(source=source, engine=engine, workers=workers)
        (folder / 'thawline.yaml').write_text(text, 'utf-8')
        before, began = _processor(), time.monotonic()
        done = subprocess.run(
            [sys.executable, '-m', 'thawline', 'run', '--to', 'Embedder'],
            cwd=folder,
            env={**os.environ, 'PYTHONPATH': str(ROOT), 'NO_COLOR': '1', 'COLUMNS': '200'},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f'{engine}: {done.stdout}{done.stderr}')
        found = {'clock': time.monotonic() - began, 'processor': _processor() - before}
        artifacts = folder / 'runs' / 'cells' / 'artifacts'
        for node, key in (('ImageExampleGen', 'examples'), ('Transform', 'transformed_examples')):
            files = [file for file in (artifacts / node / key).rglob('*') if file.is_file()]
            found[f'MB of {key}'] = sum(file.stat().st_size for file in files) / 1e6
        return found | _by_node(folder / 'runs' / 'cells' / 'metadata.sqlite')


def _processor() -> float:
    """Seconds of the processor of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _by_node(database: pathlib.Path) -> dict[str, float]:
    """Seconds of each node, from the metadata."""
    import sqlite3

    query = (
        'SELECT t.name, e.last_update_time_since_epoch - e.create_time_since_epoch '
        'FROM Execution e JOIN Type t ON t.id = e.type_id'
    )
    with sqlite3.connect(database) as connection:
        rows = connection.execute(query).fetchall()
    return {name.rpartition('.')[2]: milliseconds / 1000 for name, milliseconds in rows}


def table(found: dict[str, dict[str, float]]) -> str:
    """Markdown."""
    named = {node: next((key for key in found['local'] if node in key), node) for node in NODES}
    lines = [
        '| engine | seconds | of the processor | ' + ' | '.join(NODES) + ' |',
        '|---' * (3 + len(NODES)) + '|',
    ]
    for engine, times in found.items():
        nodes = ' | '.join(f'{times.get(named[node], float("nan")):.1f}' for node in NODES)
        lines.append(f'| {engine} | {times["clock"]:.0f} | {times["processor"]:.0f} | {nodes} |')
    return '\n'.join(lines)


def main() -> None:
    """Measures and prints; `--write` replaces the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--source', default='package:elpv_dataset')
    parser.add_argument('--workers', type=int, default=2)
    parser.add_argument('--write', action='store_true')
    given = parser.parse_args()
    found = {engine: measure(given.source, engine, given.workers) for engine in ENGINES}
    sizes = ', '.join(f'{n:.0f} {key}' for key, n in found['local'].items() if key.startswith('MB'))
    text = (
        '# Engines: the same nodes, on one machine\n\n'
        '`python -m benchmarks.engines --write`; what is measured and how is said in '
        f'[engines.py](engines.py).\n\n{given.source}, {given.workers} workers, '
        f'{os.cpu_count()} cores, load {os.getloadavg()[1]:.0f} at the end; {sizes}.\n\n'
        f'{table(found)}\n'
    )
    print(text)
    if given.write:
        RESULTS.write_text(text, 'utf-8')


if __name__ == '__main__':
    main()
