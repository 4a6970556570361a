"""The chain in several processes: what schedulers pay for it, against `thawline run`.

- Local: `thawline run`, all nodes in one process. The others: `thawline run-node` under one run id,
  one process after the other, in the groups of `thawline schedule airflow --group all`,
  `phases`, `cheap` and `none` (a process a node). Each from nothing, in a folder of its own, seeds
  in turn.
- A small pipeline: EfficientNet-Lite0 at 128 px, embedded once, a head on it, no fine-tuning, all
  of Evaluator, Exporter, ServingCheck and Report. Every seed splits and trains anew.
- Beside the nodes: what a process takes before, between and after its nodes, as the metadata know
  them; nearly all of it is the import of TensorFlow and TFX.
- Seconds of the clock tell on a machine that does nothing else. Seconds of the processor, of the
  processes and all that they start, tell on any.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import typing
from collections.abc import Sequence

from benchmarks import images, report
from thawline import ROOT
from thawline.components.shared import metadata_store
from thawline.pipeline.config import loading
from thawline.pipeline.config.task_grouping import Policy
from thawline.pipeline.metadata import runs
from thawline.pipeline.orchestrators.node_groups import group_nodes
from thawline.pipeline.runners import compiled_file
from thawline.pipeline.terminal import exit_codes

RUN_ID = 'scheduled'
LOCAL = 'local'
POLICIES: dict[str, Policy] = {one: one for one in reversed(typing.get_args(Policy))}
MODES = (LOCAL, *POLICIES)
CLOCKS = ('clock', 'processor')
PROJECT = """name: nodes
data: {{source: images}}
preprocessing: {{image_size: 128}}
model: {{backbone: efficientnet_lite0, weights: package}}
embedding: {{views: 0}}
training: {{mode: probe, augmentation: none, seed: {seed}}}
gate: {{val_accuracy: 0.5}}
"""
COLUMNS = (
    'entrance', 'processes', 'seconds', 'of the local run', 'of the processor', 'of the local run',
    'in nodes', 'beside the nodes, a process: median (longest)',
    'of the processor, a process: median (longest)',
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Spent:
    """Seconds of one process."""

    clock: float
    processor: float
    in_nodes: float = 0.0

    @property
    def beside(self) -> float:
        """Before, between and after its nodes."""
        return self.clock - self.in_nodes


@dataclasses.dataclass(frozen=True)
class Measured:
    """One run of the chain, and of a scheduled one what else was called."""

    processes: list[Spent]
    compiling: Spent | None = None
    nothing: Spent | None = None

    @property
    def clock(self) -> float:
        """Seconds of all processes, one after the other."""
        return sum(one.clock for one in self.processes)

    @property
    def processor(self) -> float:
        """Seconds of the processor of all."""
        return sum(one.processor for one in self.processes)


def laid_out(found: images.Listed, home: pathlib.Path, seed: int) -> None:
    """Makes a project of a set."""
    for number, (file, label) in enumerate(zip(found.files, found.labels, strict=True)):
        folder = home / 'images' / found.classes[label]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, folder / f'{number:05d}{pathlib.Path(file).suffix}')
    (home / 'thawline.yaml').write_text(PROJECT.format(seed=seed), 'utf-8')


def call(home: pathlib.Path, *arguments: str) -> Spent:
    """What a command took, which must succeed or refuse the model."""
    before, began = _processor(), time.monotonic()
    done = subprocess.run(
        [sys.executable, '-m', 'thawline', *arguments],
        cwd=home,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    spent = Spent(time.monotonic() - began, _processor() - before)
    if done.returncode not in (exit_codes.Outcome.BLESSED, exit_codes.Outcome.NOT_BLESSED):
        raise SystemExit(f'thawline {" ".join(arguments)}: {done.stdout}{done.stderr}')
    return spent


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def in_nodes(home: pathlib.Path) -> dict[str, float]:
    """Seconds of each node of the only run of a project."""
    project = loading.load_project(home)
    (only,) = runs.read_runs(metadata_store.open_sqlite(project.metadata), project.name)
    return {node.node: node.seconds for node in only.nodes}


def local(home: pathlib.Path) -> Measured:
    """Measures `thawline run`."""
    spent = call(home, 'run')
    return Measured([dataclasses.replace(spent, in_nodes=sum(in_nodes(home).values()))])


def scheduled(home: pathlib.Path, policy: Policy) -> Measured:
    """Measures `thawline run-node`, process by process."""
    compiling = call(home, 'compile', '--out', compiled_file.FILE)
    groups = [
        group.nodes
        for group in group_nodes(compiled_file.read(home / compiled_file.FILE).nodes, policy)
    ]
    spent = [run_nodes(home, group) for group in groups]
    nothing = run_nodes(home, [node for group in groups for node in group])
    seconds = in_nodes(home)
    processes = [
        dataclasses.replace(one, in_nodes=sum(seconds[node] for node in group))
        for one, group in zip(spent, groups, strict=True)
    ]
    return Measured(processes, compiling, nothing)


def run_nodes(home: pathlib.Path, nodes: Sequence[str]) -> Spent:
    """What a process that runs nodes took."""
    named = [part for node in nodes for part in ('--node', node)]
    spent = call(home, 'run-node', '--ir', compiled_file.FILE, '--run-id', RUN_ID, *named)
    report.say(f'  {spent.clock:.1f} s, {spent.processor:.1f} s of the processor: {nodes[0]}...')
    return spent


def row(mode: str, measured: list[Measured], against: list[Measured]) -> list[str]:
    """Means over seeds; `against` are the local runs."""
    seconds, processor = ([_mean(of, what) for of in (measured, against)] for what in CLOCKS)
    every = [one for of in measured for one in of.processes]
    return [
        '`thawline run`' if mode == LOCAL else f'`run-node`, `--group {mode}`',
        str(len(measured[0].processes)),
        report.seconds(seconds[0]),
        f'{seconds[0] / seconds[1]:.2f}',
        report.seconds(processor[0]),
        f'{processor[0] / processor[1]:.2f}',
        report.seconds(sum(one.in_nodes for one in every) / len(measured)),
        _range([one.beside for one in every]),
        _range([one.processor for one in every]),
    ]


def _mean(of: list[Measured], what: str) -> float:
    return report.mean([getattr(one, what) for one in of])


def _range(values: Sequence[float]) -> str:
    return f'{statistics.median(values):.1f} ({max(values):.1f})'


def beside(measured: list[Measured]) -> str:
    """What compiling takes, and a call that finds everything complete."""
    words = []
    for what, spent in (
        ('`thawline compile`', [one.compiling for one in measured if one.compiling]),
        ('`run-node` on nodes that are complete', [one.nothing for one in measured if one.nothing]),
    ):
        if not spent:
            continue
        clock, processor = ([getattr(one, key) for one in spent] for key in CLOCKS)
        words.append(f'{what}: median {_range(clock)} s, {_range(processor)} of the processor')
    words.append(f'Load average {os.getloadavg()[0]:.1f} at the end.')
    return '. '.join(words)


def measure(found: images.Listed, seed: int, mode: str) -> Measured:
    """One run of the chain from nothing."""
    with tempfile.TemporaryDirectory() as folder:
        home = pathlib.Path(folder)
        laid_out(found, home, seed)
        return local(home) if mode == LOCAL else scheduled(home, POLICIES[mode])


def main() -> None:
    """Measures each way on each seed."""
    parser = report.parser(__doc__ or '', ('hymenoptera',), (0,))
    parser.add_argument('--modes', nargs='+', choices=MODES, default=list(MODES))
    arguments = parser.parse_args()
    modes = [LOCAL, *(mode for mode in arguments.modes if mode != LOCAL)]
    written = report.Report(__file__, __doc__ or '', arguments)
    written.expect(len(arguments.sets) * len(arguments.seeds) * len(modes))
    for name in arguments.sets:
        found = images.listed(name, arguments.shared, arguments.limit)
        measured: dict[str, list[Measured]] = {mode: [] for mode in modes}
        for seed in arguments.seeds:
            for mode in report.in_turn(modes, seed):
                measured[mode].append(measure(found, seed, mode))
                took = report.seconds(measured[mode][-1].clock)
                written.finished(f'{name}, seed {seed}, {mode}: {took} s')
                if of_local := measured[LOCAL]:
                    rows = [row(way, of, of_local) for way, of in measured.items() if of]
                    every = [one for of in measured.values() for one in of]
                    written.table(f'{name}, {len(found):,} images', COLUMNS, rows, beside(every))
    written.close()


if __name__ == '__main__':
    main()
