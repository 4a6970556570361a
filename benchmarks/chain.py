"""Seconds of the whole chain on the default project: a first run, then one with nothing changed.

Both are the command as a user runs it, imports and all, in an empty folder.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile
import time

from thawline import ROOT

RESULTS = pathlib.Path(__file__).with_suffix('.md')
_NODE = re.compile(r'^✓ (\w+)\s+(cached|[\d.]+ s|\d+ min \d+ s)\s+(.*)$', re.MULTILINE)


def run(folder: pathlib.Path) -> tuple[int, float, str]:
    """One `thawline run` in `folder`: (exit code, seconds, what it printed)."""
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, '-m', 'thawline', 'run'],
        cwd=folder,
        env={
            'PYTHONPATH': str(ROOT),
            'PATH': '/usr/bin:/bin',
            'HOME': str(pathlib.Path.home()),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, time.monotonic() - started, done.stdout + done.stderr


def main() -> int:
    """Runs twice, prints a table, and writes it beside this file with --write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--write', action='store_true', help=f'write {RESULTS.name}')
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        first = run(pathlib.Path(folder))
        second = run(pathlib.Path(folder))
    lines = ['| node | first run | found | again |', '|---|---|---|---|']
    again = {node: took for node, took, _ in _NODE.findall(second[2])}
    for node, took, found in _NODE.findall(first[2]):
        found = found.replace(folder, '.').replace('|', '\\|').strip()
        lines.append(f'| {node} | {took} | {found} | {again.get(node, "")} |')
    whole = f'{first[1]:.0f} s | exit code {first[0]} | {second[1]:.0f} s'
    lines.append(f'| **whole command** | {whole} |')
    table = '\n'.join(lines)
    print(table)
    if first[0] or second[0]:
        print(first[2], second[2], sep='\n')
        return 1
    if arguments.write:
        text = (__doc__ or '').strip().split('\n')
        RESULTS.write_text(
            f'# The whole chain on the default project\n\n{text[0]}\n{text[2]}\n\n'
            f'Command: `python -m benchmarks.chain --write`, on 2 CPU cores.\n\n{table}\n',
            'utf-8',
        )
    return 0


if __name__ == '__main__':
    sys.exit(main())
