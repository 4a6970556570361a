"""The same seed on the same machine: is it the same model?

Each repetition is a process of its own, with nothing shared but the machine: it embeds train and
val, fits the probe, then thaws with the default settings. Compared with the first repetition:

- `features`, `probe`: whether all embeddings, and the head's kernel and bias, are the same bit by
  bit.
- `thaw`: whether the kept model's logits of val are the same bit by bit; if not, the largest
  difference, relative to the standard deviation of the logits.
- `answers`: images of val that are answered otherwise.
"""

from __future__ import annotations

import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import tensorflow as tf

from benchmarks import images, recipes, report, thawline
from thawline.components import backbones
from thawline.components.embedding.params import Embedding
from thawline.components.training import checkpoint, params, recipe

COLUMNS = (
    'set', 'seed', 'repetition', 'kept', 'features', 'probe', 'thaw', 'answers', 'val accuracy',
)  # fmt: skip
SAME = 'the same bits'


def once(arguments: argparse.Namespace, out: pathlib.Path) -> None:
    """Trains once and writes what is compared."""
    name, seed = arguments.sets[0], arguments.seeds[0]
    base = recipes.base(arguments.backbone, arguments.shared, arguments.size)
    found = images.listed(name, arguments.shared, arguments.limit)
    rows = images.split(found.labels, seed)
    parts = images.parts(found.pixels(base.size), found.labels, rows, found.confidence)
    training = params.Training(seed=seed)
    recipes.fresh(seed)
    backbone = backbones.build(base.name, base.size, base.weights)
    settings = thawline.frozen_settings(base, training, Embedding())
    embedded = thawline.embed(settings, backbone, parts).splits

    def train(settings: params.Training, folder: str) -> recipe.TrainedClassifier:
        kept = checkpoint.CheckpointFile(pathlib.Path(folder, 'state'), 'benchmark')
        log = tf.summary.create_file_writer(folder)
        chosen = (parts.train, parts.val)
        return recipe.train(backbone, found.classes, embedded, lambda: chosen, settings, kept, log)

    with tempfile.TemporaryDirectory() as folder:
        probe = train(training.model_copy(update={'mode': 'probe'}), folder)
        kernel, bias = probe.classifier.head.get_weights()
        thawed = train(training, folder)
    np.savez(
        out,
        features=embedded.train.values,
        val_features=embedded.val.values,
        kernel=kernel,
        bias=bias,
        logits=thawed.val_logits,
        answers=thawed.rule.answers(thawed.val_logits),
        labels=embedded.val.labels,
        kept=np.array(thawed.record.kept),
    )


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray], *names: str) -> bool:
    """Whether the named arrays hold the same bits."""
    return all(one[name].tobytes() == other[name].tobytes() for name in names)


def row(
    name: str, seed: int, repetition: int, now: dict[str, np.ndarray], first: dict[str, np.ndarray]
) -> list[str]:
    """The line of a repetition."""
    beginning = [name, str(seed), str(repetition), str(now['kept'])]
    accuracy = f'{(now["answers"] == now["labels"]).mean():.4f}'
    if now is first:
        return [*beginning, '', '', '', '', accuracy]
    apart = np.abs(now['logits'] - first['logits']).max() / first['logits'].std()
    return [
        *beginning,
        SAME if same(now, first, 'features', 'val_features') else 'differ',
        SAME if same(now, first, 'kernel', 'bias') else 'differs',
        SAME if same(now, first, 'logits') else f'{apart:.1e} at most',
        f'{int((now["answers"] != first["answers"]).sum())} of {len(now["labels"])}',
        accuracy,
    ]


def main() -> None:
    """Compares repetitions of each seed of each set."""
    parser = report.parser(__doc__ or '', ('flowers5', 'hymenoptera'), (0,))
    parser.add_argument('--backbone', default='mobilenet_v2')
    parser.add_argument('--size', type=int, default=128, help='image side')
    parser.add_argument('--repetitions', type=int, default=3)
    parser.add_argument('--once', type=pathlib.Path, metavar='FILE', help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        once(arguments, arguments.once)
        return
    written = report.Report(__file__, __doc__ or '', arguments)
    written.expect(len(arguments.sets) * len(arguments.seeds) * arguments.repetitions)
    rows: list[list[str]] = []
    for name in arguments.sets:
        for seed in arguments.seeds:
            found: list[dict[str, np.ndarray]] = []
            for repetition in range(1, arguments.repetitions + 1):
                with tempfile.TemporaryDirectory() as folder:
                    file = pathlib.Path(folder, 'found.npz')
                    command = [sys.executable, '-m', 'benchmarks.repeat', '--once', str(file)]
                    command += ['--sets', name, '--seeds', str(seed)]
                    command += ['--shared', str(arguments.shared), '--size', str(arguments.size)]
                    command += ['--backbone', arguments.backbone]
                    command += ['--limit', str(arguments.limit)] if arguments.limit else []
                    subprocess.run(command, check=True)
                    with np.load(file) as arrays:
                        found.append(dict(arrays))
                rows.append(row(name, seed, repetition, found[-1], found[0]))
                written.finished(' | '.join(rows[-1]))
                written.table('Results', COLUMNS, rows, f'{arguments.backbone}.')
    written.close()


if __name__ == '__main__':
    main()
