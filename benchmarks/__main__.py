"""`make bench`: every benchmark in turn, or those that are named; each writes its results.

make bench                            all, about 14 hours on 2 cores, most of it two simulations
make bench ARGS='recipe solar'        these alone
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

# name -> arguments, and about how many minutes it takes on 2 cores that do nothing else.
BENCHMARKS = {
    'recipe': (['--write'], 60),
    'textbook': (['--write'], 80),
    'solar': (['--write'], 30),
    'few_shot': (['--size', '128', '--write'], 25),
    'repeat': (['--write'], 6),
    'embedder': (['--write'], 15),
    'chain': (['--write'], 6),
    'nodes': (['--write'], 10),
    'engines': (['--write'], 20),
    'budget': (['--write'], 15),
    'rates': (['--write'], 4),
    'driver': (['--write'], 1),
    'splits': (['--write'], 1),
    'schema_ranges': (['--write'], 1),
    'growth': (['--compare', '--write'], 8),
    'ingestion': (['--write'], 5),
    'near_duplicates': (['--write'], 8),
    'serving': (['--write'], 5),
    'hostile': (['--write'], 10),
    'predict': (['--write'], 15),
    'gate': (['--write'], 1),
    'gate_clusters': (['--write'], 3),
    'validation': (['--workers', '2', '--write'], 200),
    'shipped': (['--images', '100', '200', '500', '--write'], 20),
    'small_set': (['--write'], 8),
    'fold_cost': (['--write'], 5),
    'drift': (['--write'], 20),
    'lite0_scaling': (['--data', '../shared/data'], 5),
    'ablation': (['--write'], 420),
}


def main() -> int:
    """Runs each in a process of its own, so that none inherits the memory of another."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('names', nargs='*', metavar='NAME', help=', '.join(BENCHMARKS))
    names = parser.parse_args().names or list(BENCHMARKS)
    if unknown := sorted(set(names) - set(BENCHMARKS)):
        parser.error(f'no benchmark {", ".join(unknown)}; there are: {", ".join(BENCHMARKS)}')
    failed = []
    for i, name in enumerate(names):
        left = sum(BENCHMARKS[later][1] for later in names[i:])
        arguments, minutes = BENCHMARKS[name]
        command = ['-m', f'benchmarks.{name}', *arguments]
        print(
            f'== {time.strftime("%H:%M")} python {" ".join(command)}: about {minutes} min; '
            f'about {left} min for all that are left',
            flush=True,
        )
        if subprocess.run([sys.executable, *command], check=False).returncode:
            failed.append(name)
    if failed:
        print(f'failed: {", ".join(failed)}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
