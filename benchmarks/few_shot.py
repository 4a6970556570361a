"""Accuracy against images a class: the probe, the thawed model, and what Thawline keeps.

- Per seed, a stratified 70/15/15 split; of its train part, 5, 10, 20 and 50 images a class, fewer
  always among more, then all. Val shrinks with it (3 images to 14 of train, at least one a class),
  because who has few images has few for val too; --full-val gives every size the whole val part.
  Test is the same at every size.
- Probe: the linear head on the frozen base. Thawed: the best epoch of fine-tuning, kept or not.
  Kept: what Thawline ships, which val chooses among the probe, the thawed model and weights between
  them. Default settings, the base at its default size.
- `kept - probe` is the mean over seeds of the difference on the same test images, in points, with
  its standard error: fine-tuning should never be worse than the probe beyond noise.

The error bars of the plot, too, are standard errors of the mean over seeds: they hold the noise of
the split and of training, and little of that of a small test part.
"""

from __future__ import annotations

import argparse
import math
import pathlib
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from benchmarks import images, recipes, report, thawline
from thawline.components.training import params

SIZES = ('5', '10', '20', '50', 'all')
COLUMNS = (
    'set', 'images a class', 'train', 'val', 'test', 'probe', 'thawed', 'kept', 'thawed - probe',
    'kept - probe', 'kept, each seed', 'what was kept', 'probe: s', 'whole: s',
)  # fmt: skip
SERIES = (
    ('probe', 'probe (frozen base)', 'o', '--'),
    ('thawed', 'thawed', 's', ':'),
    ('kept', 'kept by Thawline', 'D', '-'),
)
PLOT = 'few_shot.svg'
STYLE: Any = {
    'font.size': 12,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'svg.fonttype': 'none',
    'svg.hashsalt': PLOT,  # the same names in it each time, so that versions can be compared
}


def chosen(labels: np.ndarray, rows: images.Rows, size: str, seed: int, full: bool) -> images.Rows:
    """Train and val of one size."""
    if size == 'all':
        return rows
    each = int(size)
    val = rows.val
    if not full:
        share = images.VAL / (1 - images.VAL - images.TEST)
        val = images.few(labels, rows.val, math.ceil(each * share), seed)
    return images.Rows(images.few(labels, rows.train, each, seed), val, rows.test)


class Results:
    """All runs, by set and size."""

    def __init__(self) -> None:
        self.runs: dict[tuple[str, str], dict[int, thawline.Thawed]] = {}
        self.counts: dict[tuple[str, str], tuple[int, int, int]] = {}
        self.classes: dict[str, int] = {}

    def add(
        self, found: images.Listed, size: str, seed: int, rows: images.Rows, run: thawline.Thawed
    ) -> None:
        """Takes up a run."""
        key = found.name, size
        self.runs.setdefault(key, {})[seed] = run
        self.counts[key] = len(rows.train), len(rows.val), len(rows.test)
        self.classes[found.name] = len(found.classes)

    def accuracies(self, key: tuple[str, str], series: str) -> list[float]:
        """Test accuracy of 'probe', 'thawed' or 'kept', each seed."""
        runs = self.runs[key].values()
        if series == 'probe':
            return [run.probe.test for run in runs]
        return [run.tuned_test if series == 'thawed' else run.test for run in runs]

    def table(self) -> list[list[str]]:
        """A row a size, from few images to many."""
        rows = []
        names = list(self.classes)
        for key in sorted(self.runs, key=lambda k: (names.index(k[0]), self.counts[k][0])):
            by = {series: self.accuracies(key, series) for series, *_ in SERIES}
            gains = [
                [100 * (a - b) for a, b in zip(by[series], by['probe'], strict=True)]
                for series in ('thawed', 'kept')
            ]
            every = list(self.runs[key].values())
            rows.append(
                [
                    *key,
                    *map(str, self.counts[key]),
                    *(report.with_error(values) for values in by.values()),
                    *(report.with_error(gain, '+.1f') for gain in gains),
                    ', '.join(f'{value:.3f}' for value in by['kept']),
                    ', '.join(run.kept for run in every),
                    report.seconds(report.mean([run.probe.seconds for run in every])),
                    report.seconds(report.mean([run.seconds for run in every])),
                ]
            )
        return rows

    def plot(self, path: pathlib.Path) -> None:
        """Draws a panel a set: test accuracy against train images a class, on a log scale."""
        names = list(self.classes)
        figure = Figure(figsize=(6 * len(names), 4.5))
        axes = figure.subplots(1, len(names), sharey=True, squeeze=False)
        for axis, name in zip(axes[0], names, strict=True):
            keys = [key for key in self.runs if key[0] == name]
            at = np.array([self.counts[key][0] / self.classes[name] for key in keys])
            order = np.argsort(at)
            for i, (series, label, marker, line) in enumerate(SERIES):
                values = [self.accuracies(key, series) for key in keys]
                axis.errorbar(
                    at[order] * 1.04 ** (i - 1),  # beside each other, so that no bar hides another
                    np.array([report.mean(v) for v in values])[order],
                    np.nan_to_num([report.standard_error(v) for v in values])[order],
                    label=label,
                    marker=marker,
                    linestyle=line,
                    capsize=4,
                    color=('#555555', '#d95f02', '#1b6ca8')[i],
                )
            axis.set_xscale('log')
            axis.set_xticks(at, [key[1] if key[1] != 'all' else f'all\n({a:.0f})'
                                 for key, a in zip(keys, at, strict=True)])  # fmt: skip
            axis.minorticks_off()
            axis.set_xlabel('train images a class')
            axis.set_title(name)
            axis.grid(axis='y', color='#dddddd')
        axes[0][0].set_ylabel('test accuracy')
        axes[0][-1].legend(loc='lower right', frameon=False)
        figure.tight_layout()
        figure.savefig(path, metadata={'Date': None})


def _arguments() -> argparse.Namespace:
    parser = report.parser(__doc__ or '', ('flowers5', 'trashnet'))
    parser.add_argument('--each', nargs='+', choices=SIZES, default=list(SIZES))
    parser.add_argument('--backbone', default='mobilenet_v2')
    parser.add_argument('--size', type=int, help="image side; default: the base's own")
    parser.add_argument('--full-val', action='store_true', help='the whole val part at every size')
    return parser.parse_args()


def main() -> None:
    """Runs the recipe for each size, set and seed."""
    arguments = _arguments()
    base = recipes.base(arguments.backbone, arguments.shared, arguments.size)
    written = report.Report(__file__, __doc__ or '', arguments)
    written.expect(len(arguments.sets) * len(arguments.seeds) * len(arguments.each))
    results = Results()
    for name in arguments.sets:
        found = images.listed(name, arguments.shared, arguments.limit)
        pixels = found.pixels(base.size)
        for seed in arguments.seeds:
            split = images.split(found.labels, seed)
            for size in report.in_turn(arguments.each, seed):
                rows = chosen(found.labels, split, size, seed, arguments.full_val)
                parts = images.parts(pixels, found.labels, rows, found.confidence)
                with report.narrated(f'{name}, seed {seed}, {size} a class'):
                    run = thawline.run(base, parts, found.classes, params.Training(seed=seed))
                results.add(found, size, seed, rows, run)
                written.finished(
                    f'{name}, seed {seed}, {size} a class: probe {run.probe.test:.3f}, thawed '
                    f'{run.tuned_test:.3f}, kept {run.test:.3f} ({run.kept})'
                )
                below = f'{base.name}, {base.size} px.'
                if written.path is not None:
                    plot = written.path.with_name(PLOT)
                    with matplotlib.rc_context(STYLE):
                        results.plot(plot)
                    below += f'\n\n![Test accuracy against images a class]({PLOT})'
                written.table('Results', COLUMNS, results.table(), below)
    written.close()


if __name__ == '__main__':
    main()
