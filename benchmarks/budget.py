"""Whether `training.budget` is kept, and used: the default recipe on photographs of ants and bees.

    nice .venv/bin/python -m benchmarks.budget --write

Images are ingested and embedded once a size. Then what the Trainer runs is run once a budget, each
time in a new process: with the budget in seconds of the wall clock, and in seconds of this
process's processor time, by which one core that does nothing else would go.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import Any

from thawline import ROOT
from thawline.components.backbones.params import PretrainedBase
from thawline.components.shared import percentages
from thawline.components.shared.settings import seconds_of
from thawline.components.training import budget, params
from thawline.components.training.record import TrainingRecord

RESULTS = pathlib.Path(__file__).with_suffix('.md')
CLOCKS = {'wall': time.monotonic, 'processor': time.process_time}
BASE = PretrainedBase(backbone='efficientnet_lite0', weights='package')
_CONFIG = """\
name: budget
data: {{source: {source}}}
preprocessing: {{image_size: {size}}}
model: {model}
"""


def embed(folder: pathlib.Path, source: pathlib.Path, size: int) -> None:
    """Runs the chain to the Embedder in `folder`."""
    text = _CONFIG.format(source=source, size=size, model=BASE.model_dump_json())
    (folder / 'thawline.yaml').write_text(text, 'utf-8')
    subprocess.run(
        [sys.executable, '-m', 'thawline', 'run', '--to', 'Embedder'],
        cwd=folder,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        check=True,
        stdout=subprocess.DEVNULL,
    )


def train(folder: pathlib.Path, limit: str, clock: str, size: int) -> None:
    """Runs the Trainer's function on the artifacts in `folder`; its record comes into `folder`."""
    from tfx.components.trainer.fn_args_utils import FnArgs

    from thawline.components.training import run_fn

    def place(kind: str) -> pathlib.Path:
        (found,) = folder.glob(f'runs/budget/artifacts/{kind}/*')
        return found

    def deadline(of: str | None) -> budget.Deadline:
        assert of is not None
        return budget.Deadline(seconds_of(of), CLOCKS[clock])

    budget.Deadline.of = deadline  # type: ignore[assignment,method-assign]
    examples = place('Transform/transformed_examples')
    files = {s: [str(f) for f in examples.glob(f'Split-{s}/*')] for s in ('train', 'val')}
    config: dict[str, Any] = {
        'model': BASE.model_dump_json(),
        'training': params.Training(budget=limit).model_dump_json(),
        'image_size': size,
        'resize': 'stretch',
        'embeddings': str(place('Embedder/embeddings')),
        'checkpoints': str(folder / 'checkpoints'),
    }
    arguments = FnArgs(
        train_files=files['train'],
        eval_files=files['val'],
        transform_output=str(place('Transform/transform_graph')),
        serving_model_dir=str(folder / 'model'),
        model_run_dir=str(folder / 'record'),
        custom_config=config,
    )
    began, load = (time.monotonic(), time.process_time()), os.getloadavg()[0]
    run_fn.run_fn(arguments)
    passed = {
        'wall': time.monotonic() - began[0],
        'processor': time.process_time() - began[1],
        'load': load,
    }
    (folder / 'passed.json').write_text(json.dumps(passed), 'utf-8')


def row(size: int, clock: str, record: TrainingRecord, passed: dict[str, float]) -> str:
    """A line of the table."""
    kept, tuned = record.budget, record.fine_tune
    assert kept is not None
    plan = f'{len(tuned.history)}, of {tuned.blocks} blocks' if tuned else 'none'
    return (
        f'| {size} px | {kept.seconds:.0f} s, {clock} | {kept.used:.1f} s | '
        f'{kept.used / kept.seconds:.0%} | {plan} | {"; ".join(record.left_out) or "nothing"} | '
        f'{percentages.percent(record.probe.val.accuracy)} | '
        f'{percentages.percent(record.val.accuracy)} | {passed["wall"]:.0f} s | '
        f'{passed["processor"]:.0f} s | {passed["load"]:.1f} |'
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--shared', type=pathlib.Path, default=pathlib.Path('../shared'))
    parser.add_argument('--sizes', type=int, nargs='+', default=(224, 128))
    parser.add_argument('--budgets', nargs='+', default=('30s', '45s', '60s', '90s'))
    parser.add_argument('--clocks', nargs='+', choices=CLOCKS, default=('processor', 'wall'))
    parser.add_argument('--keep', type=pathlib.Path, help='folder for the ingested images')
    parser.add_argument('--write', action='store_true', help=f'write {RESULTS.name}')
    parser.add_argument('--once', nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        folder, limit, clock, size = arguments.once
        train(pathlib.Path(folder), limit, clock, int(size))
        return
    lines = [
        '| images | budget | used | share | epochs | left out | val, probe | val, kept | wall | '
        'processor | load |',
        '|---|---|---|---|---|---|---|---|---|---|---|',
    ]
    source = arguments.shared.resolve() / 'data' / 'hymenoptera'
    with tempfile.TemporaryDirectory() as temporary:
        for size in arguments.sizes:
            folder = (arguments.keep or pathlib.Path(temporary)) / str(size)
            folder.mkdir(parents=True, exist_ok=True)
            embed(folder, source, size)
            for clock in arguments.clocks:
                for limit in arguments.budgets:
                    once = [str(folder), limit, clock, str(size)]
                    subprocess.run(
                        [sys.executable, '-m', 'benchmarks.budget', '--once', *once], check=True
                    )
                    passed = json.loads((folder / 'passed.json').read_text('utf-8'))
                    record = TrainingRecord.read(folder / 'record')
                    lines.append(row(size, clock, record, passed))
                    print(lines[-1], flush=True)
    if arguments.write:
        head = (__doc__ or '').split('\n')[0]
        RESULTS.write_text(
            f'# Budgets of training\n\n{head}\n'
            f'`python -m benchmarks.budget --clocks {" ".join(arguments.clocks)} --write`, on '
            f'{os.cpu_count()} cores (load: how many processes wanted to run at the start; up to '
            'about 2 is this process alone). What is measured is said in [budget.py](budget.py).'
            '\n\n' + '\n'.join(lines) + '\n',
            'utf-8',
        )


if __name__ == '__main__':
    main()
