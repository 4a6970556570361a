"""What it costs to run the chain in several processes, as schedulers do, instead of one.

The solar cells with the frozen base alone, which is a small pipeline: first by `thawline run`, then
in groups of nodes by `thawline run-node`, each in an empty folder and one after the other; then
node by node with everything cached, so that a process takes little more than its start.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

RESULTS = pathlib.Path(__file__).with_suffix('.md')
ROOT = RESULTS.parents[1]
PROJECT = """name: cells
data: {source: 'package:elpv_dataset'}
preprocessing: {image_size: 128}
model: {backbone: efficientnet_lite0, weights: package}
embedding: {views: 0}
training: {mode: probe, augmentation: none}
gate: {val_accuracy: 0.7}
"""
# Neighbours without much work share a process.
GROUPS = (
    ('ImageExampleGen', 'StatisticsGen', 'SchemaGen', 'ExampleValidator', 'DataGate'),
    ('Transform', 'Embedder', 'Trainer'),
    ('Baseline', 'Evaluator', 'Exporter', 'ServingCheck', 'Pusher'),
    ('LastReport', 'Report'),
)


def thawline(folder: pathlib.Path, *arguments: str) -> float:
    """Seconds of a command, which must succeed."""
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, '-m', 'pipeline.cli', *arguments],
        cwd=folder,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f'{" ".join(arguments)}: {done.stdout}{done.stderr}')
    seconds = time.monotonic() - started
    print(f'{seconds:7.1f} s  thawline {" ".join(arguments)}', flush=True)
    return seconds


def run_nodes(folder: pathlib.Path, run_id: str, nodes: Sequence[str]) -> float:
    """Seconds of a process that runs nodes."""
    named = [part for node in nodes for part in ('--node', node)]
    return thawline(folder, 'run-node', '--ir', 'pipeline.json', '--run-id', run_id, *named)


def main() -> int:
    """Measures, prints a table, and writes it beside this file with --write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--write', action='store_true', help=f'write {RESULTS.name}')
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        alone, apart = pathlib.Path(folder, 'alone'), pathlib.Path(folder, 'apart')
        for home in (alone, apart):
            home.mkdir()
            (home / 'thawline.yaml').write_text(PROJECT, 'utf-8')
        local = thawline(alone, 'run')
        compiling = thawline(apart, 'compile', '--out', 'pipeline.json')
        plain = json.loads((apart / 'pipeline.json').read_text('utf-8'))
        every = [node['id'] for node in plain['nodes']]
        assert sorted(every) == sorted(node for group in GROUPS for node in group)
        groups = [run_nodes(apart, 'first', group) for group in GROUPS]
        single = [run_nodes(apart, 'cached', [node]) for node in every]
        nothing = run_nodes(apart, 'cached', every)
        cached = thawline(apart, 'run')
    rows = (
        ('`thawline run`, all nodes in one process', f'{local:.0f} s', '1'),
        (
            f'`thawline run-node`, {len(GROUPS)} processes',
            f'{sum(groups):.0f} s',
            f'{sum(groups) / local:.2f}',
        ),
        ('`thawline compile`', f'{compiling:.1f} s', ''),
        (
            f'one cached node in a process: median (longest) of {len(single)}',
            f'{statistics.median(single):.1f} s ({max(single):.1f} s)',
            '',
        ),
        ('the same `thawline run` from the cache', f'{cached:.1f} s', ''),
        ('all nodes complete already', f'{nothing:.1f} s', ''),
    )
    table = ['| | seconds | of the local run |', '|---|---|---|']
    table += [f'| {" | ".join(row)} |' for row in rows]
    print('\n'.join(table))
    if arguments.write:
        text = (__doc__ or '').strip()
        RESULTS.write_text(
            f'# The chain in several processes\n\n{text}\n\n'
            'Command: `python -m benchmarks.nodes --write`, on 2 CPU cores.\n\n'
            + '\n'.join(table)
            + '\n',
            'utf-8',
        )
    return 0


if __name__ == '__main__':
    sys.exit(main())
