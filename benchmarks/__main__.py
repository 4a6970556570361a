"""`make bench`: every benchmark in turn; each writes its results beside itself."""

from __future__ import annotations

import subprocess
import sys

COMMANDS = (
    ['benchmarks.recipe', '--sets', 'flowers5', 'trashnet', 'hymenoptera', '--write'],
    ['benchmarks.chain', '--write'],
    ['benchmarks.lite0_scaling', '--data', '../shared/data'],
)


def main() -> int:
    """Runs each in a process of its own, so that none inherits the memory of another."""
    worst = 0
    for command in COMMANDS:
        print(f'== python -m {" ".join(command)}', flush=True)
        worst = max(worst, subprocess.run([sys.executable, '-m', *command], check=False).returncode)
    return worst


if __name__ == '__main__':
    sys.exit(main())
