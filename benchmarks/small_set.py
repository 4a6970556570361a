"""A small set as a newcomer runs it: is the model blessed, whatever the split seed?

397 photographs of ants and bees. For each seed: `thawline init`, `training.mode: probe`, the seed,
and `thawline run` up to the Evaluator, by the threshold that init writes; then once more by 0.90,
for which only the gate is asked again. Folds are those that init writes. Seconds are of the first
run, by the clock, with all that a command takes to start; `store` is what the content store keeps
over the runs of one folder, so the first seed decodes and embeds, and the others need not.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile
import time

from benchmarks import report
from thawline.components.evaluation.gate.record import Verdict
from thawline.components.training.record import TrainingRecord
from thawline.pipeline.terminal.exit_codes import Outcome

STRICT = 0.90
COLUMNS = (
    'seed', 'right, %', 'lower bound, %', 'by the threshold of init', f'by {STRICT:.2f}', 'seconds',
)  # fmt: skip


def thawline(project: pathlib.Path, *arguments: str) -> float:
    """Seconds of a command in a project; a refused model is no failure."""
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, '-m', 'thawline', *arguments],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode not in (0, Outcome.NOT_BLESSED):
        raise SystemExit(f'{arguments} ended with {done.returncode}:\n{done.stdout[-2000:]}')
    return time.monotonic() - started


def newest(project: pathlib.Path, file: str) -> str:
    """The folder of the newest file of this name."""
    found = max(project.rglob(file), key=lambda path: path.stat().st_mtime_ns)
    return str(found.parent)


def verdict(project: pathlib.Path) -> Verdict:
    """The newest one."""
    return Verdict.read(newest(project, Verdict.FILE))


def main() -> None:
    """Runs each seed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--shared', type=pathlib.Path, default=pathlib.Path('../shared'))
    parser.add_argument('--seeds', nargs='+', type=int, default=list(range(10)))
    parser.add_argument('--write', nargs='?', const='beside', metavar='FILE')
    parser.set_defaults(limit=None)
    arguments = parser.parse_args()
    written = report.Report(__file__, __doc__ or '', arguments)
    written.expect(len(arguments.seeds))
    images = (arguments.shared / 'data' / 'hymenoptera').resolve()
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as folder:
        project = pathlib.Path(folder, 'hymenoptera')
        thawline(pathlib.Path(folder), 'init', str(project), '--data', str(images))
        config = project / 'thawline.yaml'
        text = config.read_text('utf-8').replace('training:\n', 'training:\n  mode: probe\n')
        for seed in arguments.seeds:
            own = re.sub(r'folds: auto, seed: \d+', f'folds: auto, seed: {seed}', text)
            assert f'folds: auto, seed: {seed}' in own
            config.write_text(own, 'utf-8')
            seconds = thawline(project, 'run', '--to', 'Evaluator')
            first = verdict(project)
            config.write_text(
                re.sub(r'  val_accuracy: [\d.]+', f'  val_accuracy: {STRICT}', own), 'utf-8'
            )
            thawline(project, 'run', '--to', 'Evaluator')
            second = verdict(project)
            (rule,) = (rule for rule in second.rules if rule.name == 'val_accuracy')
            judged = TrainingRecord.read(newest(project, TrainingRecord.FILE)).validation.judged
            assert rule.value is not None and rule.bound == STRICT and judged
            rows.append(
                [
                    str(seed),
                    f'{100 * judged.accuracy:.1f} of {judged.n}',
                    f'{100 * rule.value:.1f}',
                    *('blessed' if one.blessed else 'refused' for one in (first, second)),
                    report.seconds(seconds),
                ]
            )
            written.finished(f'seed {seed}: {", ".join(rows[-1][1:])}')
            written.table('Results', COLUMNS, rows)
    written.close()


if __name__ == '__main__':
    main()
