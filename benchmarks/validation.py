"""What the gate's promise is worth: simulated from drawing images to the bound, choices and all.

- Sets are drawn from a pool of embedded images, by the number that is labelled in all. The probe is
  trained, chosen, validated and fitted to all images by the product's own functions, with folds
  and with a plain split (70 % train, 30 % val; no test). The accuracy of what ships is that on the
  images of the pool that were not drawn.
- A blessing is wrong if the accuracy of what ships is at or below the threshold. It is set to just
  that accuracy here, the worst case; and below it by 0.10 to see how often a good model passes.
- "images" are independent; "groups" are of 10 images that share 60 % of their features with the
  group's first; of "duplicates", one image in five is of a cluster of 2 to 5 that share 95 %. The
  accuracy of what ships is that on other groups, made alike.
- "threshold" sets `training.decision.aim: accuracy`, with two classes.
- "today" is the plain split of 70/15/15 as it was: val chooses and judges, images count as
  independent, and what ships has learned from train alone.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import functools
import itertools
import multiprocessing
import pathlib

import numpy as np
from matplotlib.figure import Figure

from benchmarks import report
from benchmarks.pools import KINDS, Drawn, Pool, draw, read_pool
from thawline.components.ingestion import fold_choice, stratify
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.statistics import clustered_bound, proportions
from thawline.components.training import (
    cross_fitting,
    cross_validation,
    decision_threshold,
    held_out,
    params,
    probe,
    refit,
)
from thawline.components.training.val_choices import ValChoices

BELOW = 0.10
METHODS = ('folds', 'split', 'today')
AIMS = ('argmax', 'threshold')


@dataclasses.dataclass(frozen=True)
class Judged:
    """What one training led to.

    Attributes:
        accuracy: of what ships.
        measured: of the answers that judge.
        bound: the gate's.
    """

    accuracy: float
    measured: float
    bound: float


def judge(drawn: Drawn, method: str, aim: str, seed: int) -> Judged | None:
    """Trains, validates and ships; None where a class is missing from what trains."""
    decision = params.Decision(aim='accuracy' if aim == 'threshold' else 'argmax')
    settings = params.Training(mode='probe', decision=decision)
    ids = np.array([str(row).encode() for row in range(len(drawn.labels))], object)
    data = LabelledSet(drawn.features[:, None], drawn.labels, ids)
    run = {'folds': _by_folds, 'split': _by_split, 'today': _as_before}[method]
    return run(drawn, data, settings, seed)


def _by_folds(
    drawn: Drawn, data: LabelledSet, settings: params.Training, seed: int
) -> Judged | None:
    names = _names(drawn)
    folds = fold_choice.auto_folds(np.bincount(drawn.labels).tolist())
    fold = cross_validation.assign_folds(drawn.labels, drawn.clusters, folds, seed)
    fitted = cross_fitting.fit_probe(data, fold, names, settings)
    rows = np.flatnonzero(fitted.learnt)
    rule, _ = decision_threshold.decide(
        fitted.choosing[rows], drawn.labels[rows], names, settings.decision
    )
    hits = fitted.answers.answers == drawn.labels
    answers = rule.answers(fitted.head.logits(drawn.unseen))
    return _judged(answers == drawn.unseen_labels, hits, drawn.clusters)


def _by_split(
    drawn: Drawn, data: LabelledSet, settings: params.Training, seed: int
) -> Judged | None:
    split = _split(drawn, seed, {'train': 0.7, 'val': 0.3})
    train, val = np.flatnonzero(split == 'train'), np.flatnonzero(split == 'val')
    names, labels = _names(drawn), drawn.labels[val]
    if len(np.unique(drawn.labels[train])) < len(names) or not _two(labels, settings):
        return None
    head = probe.fit_sets(data.take(train), data.take(val), len(names), settings)
    choices = ValChoices(head.val_path)
    parts = cross_fitting.parts_of_val(labels, drawn.clusters[val])
    answers = held_out.choose_apart(
        data.ids[val], labels, parts, choices.by, names, settings.decision
    )
    rule, _ = decision_threshold.decide(
        head.logits(drawn.features[val]), labels, names, settings.decision
    )
    shipped = refit.fit_head(data, len(names), settings, head.c)
    right = rule.answers(shipped.logits(drawn.unseen)) == drawn.unseen_labels
    return _judged(right, answers.answers == labels, drawn.clusters[val])


def _as_before(
    drawn: Drawn, data: LabelledSet, settings: params.Training, seed: int
) -> Judged | None:
    split = _split(drawn, seed, {'train': 0.7, 'val': 0.15, 'test': 0.15})
    train, val = np.flatnonzero(split == 'train'), np.flatnonzero(split == 'val')
    names, labels = _names(drawn), drawn.labels[val]
    if len(np.unique(drawn.labels[train])) < len(names) or not _two(labels, settings):
        return None
    head = probe.fit_sets(data.take(train), data.take(val), len(names), settings)
    logits = head.logits(drawn.features[val])
    rule, _ = decision_threshold.decide(logits, labels, names, settings.decision)
    hits = rule.answers(logits) == labels
    right = rule.answers(head.logits(drawn.unseen)) == drawn.unseen_labels
    bound = proportions.lower_bound(int(hits.sum()), len(hits))
    return Judged(float(right.mean()), float(hits.mean()), bound)


def _names(drawn: Drawn) -> tuple[str, ...]:
    return tuple(f'class {label}' for label in range(int(drawn.labels.max()) + 1))


def _two(labels: np.ndarray, settings: params.Training) -> bool:
    """Whether a threshold can be chosen, where one is."""
    return settings.decision.aim == 'argmax' or len(np.unique(labels)) == 2


def _split(drawn: Drawn, seed: int, fractions: dict[str, float]) -> np.ndarray:
    """As ingestion shares clusters out."""
    images = [
        (f'cluster {cluster}', str(label))
        for cluster, label in zip(drawn.clusters, drawn.labels, strict=True)
    ]
    split = stratify.share_out(images, seed, fractions)
    return np.array([split[cluster] for cluster, _ in images])


def _judged(right: np.ndarray, hits: np.ndarray, clusters: np.ndarray) -> Judged:
    tally = clustered_bound.tally(hits, clusters)
    bound = clustered_bound.lower_bound(int(hits.sum()), len(hits), tally)
    return Judged(float(right.mean()), float(hits.mean()), bound)


def simulate(
    pool: Pool, n: int, classes: int, kind: str, aim: str, method: str, draws: int, workers: int
) -> list[Judged]:
    """What so many sets led to; the sets are the same for every method."""
    judge_draw = functools.partial(_judge_draw, pool, n, classes, kind, aim, method)
    if workers == 1:
        results = list(map(judge_draw, range(draws)))
    else:
        # Not forked: TensorFlow's threads would be missing.
        with concurrent.futures.ProcessPoolExecutor(
            workers, multiprocessing.get_context('spawn')
        ) as processes:
            results = list(processes.map(judge_draw, range(draws), chunksize=10))
    return [judged for judged in results if judged is not None]


def _judge_draw(
    pool: Pool, n: int, classes: int, kind: str, aim: str, method: str, number: int
) -> Judged | None:
    rng = np.random.default_rng([n, KINDS.index(kind), number])
    return judge(draw(pool, n, classes, kind, rng), method, aim, number)


def row(results: list[Judged], draws: int) -> list[str]:
    """Accuracy of what ships, error of what is measured, wrong blessings, power."""
    wrong = sum(judged.bound >= judged.accuracy for judged in results)
    passed = sum(judged.bound >= judged.accuracy - BELOW for judged in results)
    accuracy = np.array([judged.accuracy for judged in results])
    measured = np.array([judged.measured for judged in results])
    share = proportions.wilson(wrong, draws)
    return [
        f'{100 * accuracy.mean():.1f}',
        f'{100 * (measured - accuracy).mean():+.1f} ± {100 * (measured - accuracy).std():.1f}',
        f'{100 * wrong / draws:.1f} ({100 * share.lower:.1f} to {100 * share.upper:.1f})',
        f'{100 * passed / draws:.1f}',
    ]


def plot(path: pathlib.Path, shares: dict[tuple[str, str, str], list[tuple[int, float]]]) -> None:
    """Draws how often a model passes a threshold 0.10 below its accuracy, a panel a kind and aim.

    Args:
        path: of the SVG.
        shares: (kind, aim, method) -> (images, share that passes).
    """
    panels = list(dict.fromkeys((kind, aim) for kind, aim, _ in shares))
    figure = Figure(figsize=(4 * len(panels), 3.6))
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axis, (kind, aim) in zip(axes, panels, strict=True):
        for method, colour in zip(METHODS, ('#1b6ca8', '#d95f02', '#777777'), strict=True):
            if points := shares.get((kind, aim, method)):
                sizes, passed = zip(*points, strict=True)
                axis.plot(sizes, passed, marker='o', color=colour, label=method)
        axis.set_title(f'{kind}, {aim}')
        axis.set_xlabel('labelled images')
        axis.set_ylim(0, 1)
        axis.grid(axis='y', color='#dddddd')
    axes[0].set_ylabel(f'passes {BELOW:.2f} below its accuracy')
    axes[0].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={'Date': None})


def main() -> None:
    """Simulates every cell and writes the table after each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = '../shared/pools/cifar10_lite0_128.npz'
    parser.add_argument('--shared', type=pathlib.Path, default=pathlib.Path('../shared'))
    parser.add_argument('--pools', nargs='+', default=[default], metavar='FILE|SET')
    parser.add_argument('--draws', type=int, default=1000)
    parser.add_argument('--sizes', type=int, nargs='+', default=[60, 100, 200, 400, 1000])
    parser.add_argument('--kinds', nargs='+', choices=KINDS, default=list(KINDS))
    parser.add_argument('--aims', nargs='+', choices=AIMS, default=list(AIMS))
    parser.add_argument('--methods', nargs='+', choices=METHODS, default=list(METHODS))
    parser.add_argument('--workers', type=int, default=1)
    parser.add_argument(
        '--write', nargs='?', const='beside', metavar='FILE', help='write the tables'
    )
    parser.set_defaults(limit=None)
    report.resumable(parser)
    args = parser.parse_args()
    in_names = 'pools', 'sizes', 'kinds', 'aims', 'methods', 'workers'
    measured = report.Measured(args, in_names)
    results = report.Report(__file__, __doc__ or '', args)
    cells = list(itertools.product(args.kinds, args.aims, args.sizes, args.methods))
    results.expect(len(args.pools) * len(cells))
    for named in args.pools:
        pool = read_pool(named, args.shared)
        rows: dict[tuple[str, str], list[list[str]]] = {}
        shares: dict[tuple[str, str, str], list[tuple[int, float]]] = {}
        for kind, aim, n, method in cells:
            classes = min(2 if aim == 'threshold' else 5, len(np.unique(pool.labels)))
            name = f'{pool.name} {kind} {aim} {n} {method}'
            cell = functools.partial(
                simulate, pool, n, classes, kind, aim, method, args.draws, args.workers
            )
            judged = measured.take((name,), cell)
            line = [f'{n:,}', method, *row(judged, args.draws)]
            rows.setdefault((kind, aim), []).append(line)
            shares.setdefault((kind, aim, method), []).append((n, float(line[-1]) / 100))
            results.finished(f'{name}: {line[-1]} passed, {line[-2]} wrongly')
            results.table(
                f'{kind}, {aim}, {classes} classes of {pool.name}',
                (
                    'images', 'validation', 'accuracy, %', 'measured less accuracy, points',
                    'wrong blessings, %', f'passes {BELOW:.2f} below, %',
                ),
                rows[kind, aim],
            )  # fmt: skip
        if results.path is not None:
            plot(results.path.with_name(f'{results.path.stem}_{pool.name}.svg'), shares)
    results.close()


if __name__ == '__main__':
    main()
