"""What benchmarks have in common around the measuring: their arguments, progress and tables.

A report is written anew after every row, so that what is killed leaves what it has measured.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pathlib
import platform
import shelve
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import keras
import numpy as np
import sklearn
import tensorflow as tf

from benchmarks import images
from thawline.components.shared import progress

_BESIDE = 'beside'
_Kind = TypeVar('_Kind')


def parser(
    doc: str, sets: Sequence[str], seeds: Sequence[int] = (0, 1, 2)
) -> argparse.ArgumentParser:
    """The arguments that all take; `sets` are the default ones."""
    made = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument('--shared', type=pathlib.Path, default=pathlib.Path('../shared'))
    made.add_argument('--sets', nargs='+', choices=images.SETS, default=list(sets))
    made.add_argument('--seeds', nargs='+', type=int, default=list(seeds))
    made.add_argument('--limit', type=int, help='about so many images a set, to try the script')
    made.add_argument(
        '--write',
        nargs='?',
        const=_BESIDE,
        metavar='FILE',
        help='write the report, beside the script unless a file is named',
    )
    return made


def resumable(made: argparse.ArgumentParser) -> None:
    """Adds the argument that `Measured` reads."""
    made.add_argument(
        '--resume',
        type=pathlib.Path,
        metavar='FILE',
        help='keep each measurement in FILE and take from it those that are there, so that a long '
        'benchmark can be stopped and called again; take a new FILE after a change of the code',
    )


class Measured:
    """Measurements by name, kept in the file of --resume as they come; or in memory."""

    def __init__(self, arguments: argparse.Namespace, named: Sequence[str] = ()) -> None:
        """Knows the measurements of earlier calls that had the same arguments otherwise.

        Args:
            arguments: of the call.
            named: further arguments that are in the names of measurements, or change none.
        """
        resume: pathlib.Path | None = arguments.resume
        self._kept: shelve.Shelf[Any] = shelve.Shelf({})
        if resume is not None:
            self._kept = shelve.open(str(resume))  # noqa: SIM115  open until the end
        # Sets and seeds are in the names: a call may add some.
        apart = {'resume', 'write', 'shared', 'sets', 'seeds', 'changes', 'images', *named}
        self._of = repr(sorted((k, v) for k, v in vars(arguments).items() if k not in apart))

    def take(self, name: Sequence[object], measure: Callable[[], _Kind]) -> _Kind:
        """What is known by this name, or is measured now."""
        key = f'{tuple(name)!r} {self._of}'
        if key not in self._kept:
            self._kept[key] = measure()
            self._kept.sync()
        found: _Kind = self._kept[key]
        return found


def in_turn(competitors: Sequence[str], seed: int) -> list[str]:
    """Their order in a seed: backwards in every other one, so that none always runs first."""
    return list(competitors)[:: -1 if seed % 2 else 1]


def say(line: str) -> None:
    """One line of progress."""
    print(f'[{time.strftime("%H:%M:%S")}] {line}', flush=True)


@contextlib.contextmanager
def narrated(label: str) -> Iterator[None]:
    """Says what the recipe is doing, phase by phase, for the time of the block."""
    last = ''

    def listen(now: progress.Progress) -> None:
        nonlocal last
        line = now.remark or now.what
        if line and line != last:
            say(f'  {label}: {line}')
        last = line

    with progress.listening(listen):
        yield


def mean(values: Sequence[float]) -> float:
    return statistics.fmean(values)


def standard_error(values: Sequence[float]) -> float:
    """Of the mean; NaN of a single value."""
    if len(values) < 2:
        return float('nan')
    return statistics.stdev(values) / float(np.sqrt(len(values)))


def with_error(values: Sequence[float], form: str = '.3f') -> str:
    """`mean ± standard error`."""
    error = standard_error(values)
    shown = '?' if np.isnan(error) else format(error, form.lstrip('+'))
    return f'{mean(values):{form}} ± {shown}'


def seconds(value: float | None) -> str:
    """Of a duration, or that it was never reached."""
    return 'never' if value is None else f'{value:.1f}' if value < 10 else f'{value:.0f}'


class Report:
    """Tables of one benchmark, printed as they grow and written as Markdown."""

    def __init__(self, script: str, doc: str, arguments: argparse.Namespace) -> None:
        """Knows the title and the explanation from the docstring.

        Args:
            script: its `__file__`.
            doc: its docstring.
            arguments: of `parser`.
        """
        beside = pathlib.Path(script).with_suffix('.md')
        asked: str | None = arguments.write
        self.path = None if asked is None else beside if asked == _BESIDE else pathlib.Path(asked)
        if arguments.limit and self.path == beside:
            raise SystemExit('--limit is no measurement: name a file, --write FILE')
        title, _, explanation = doc.strip().partition('\n')
        self._head = [f'# {title.rstrip(".")}', '', explanation.strip(), '', _origin(beside.stem)]
        if arguments.limit:
            self._head += ['', f'**Only {arguments.limit} images a set: not a measurement.**']
        self._tables: dict[str, list[str]] = {}
        self._done, self._total = 0, 0
        self._started = time.monotonic()

    def expect(self, total: int) -> None:
        """How many measurements there will be."""
        self._total = total

    def finished(self, what: str) -> None:
        """One measurement more is done."""
        self._done += 1
        passed = time.monotonic() - self._started
        say(f'{what} ({self._done} of {self._total} after {passed / 60:.1f} min)')

    def table(
        self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], below: str = ''
    ) -> None:
        """Puts a table in the place of the last one of this title, and writes the file."""
        lines = ['| ' + ' | '.join(columns) + ' |', '|' + '---|' * len(columns)]
        lines += ['| ' + ' | '.join(row) + ' |' for row in rows]
        self._tables[title] = [*lines, *(['', below] if below else [])]
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(self.text(), 'utf-8')

    def text(self) -> str:
        """The whole report."""
        state = []
        if self._done < self._total:
            state = ['', f'**Unfinished: {self._done} of {self._total} measurements.**']
        tables = [
            line
            for title, lines in self._tables.items()
            for line in ('', f'## {title}', '', *lines)
        ]
        return '\n'.join([*self._head, *state, *tables]) + '\n'

    def close(self) -> None:
        """Prints all tables."""
        print('\n' + self.text().partition('\n## ')[2], flush=True)
        if self.path is not None:
            say(f'written to {self.path}')


def _origin(name: str) -> str:
    command = shlex.join(['python', '-m', f'benchmarks.{name}', *sys.argv[1:]])
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    try:
        load = f'load average {os.getloadavg()[0]:.1f} at the start'
    except OSError:
        load = 'load unknown'
    return (
        f'Command: `{command}`\n\nPython {platform.python_version()}, TensorFlow {tf.__version__}, '
        f'Keras {keras.__version__}, scikit-learn {sklearn.__version__}; {platform.machine()}, '
        f'{cores} CPU cores, {len(tf.config.list_physical_devices("GPU"))} GPUs; {load}.'
    )
