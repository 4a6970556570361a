"""How often the gate blesses wrongly, and how often it lets a good model pass.

- Every share is an exact sum over binomial counts of hits; nothing is drawn at random. The rules
  are the product's own (`components.evaluation`), with its default settings.
- A blessing is wrong where the true accuracy is at the threshold or below it. The plain comparison
  holds the measured accuracy against the threshold, as `strictness: point` does.
- Val and test have the same number of images, which are independent of each other, and the model
  was fixed before they were looked at. The last table says what becomes of that where many models
  are tried on the same val images.
"""

from __future__ import annotations

import functools
import math
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from benchmarks import report
from thawline import ROOT
from thawline.components.evaluation.gate.params import Gate
from thawline.components.statistics import proportions

GATE = Gate()
MAX_DROP = 0.02  # for comparison; by default the gate has no such rule
THRESHOLDS = (0.80, 0.90, 0.95)
ABOVE = (0.02, 0.05, 0.10)
SIZES = (50, 100, 200, 500, 1000)
EVERY = range(50, 1001)
MOST = 6000
PLOT = ROOT / 'docs' / 'gate.svg'
STYLE: Any = {
    'font.size': 12,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'svg.fonttype': 'none',
    'svg.hashsalt': PLOT.name,  # the same names in it each time, so that versions can be compared
}
Asked = Callable[[float], np.ndarray]
N = np.arange(MOST + 1)


@functools.cache
def by_gate(threshold: float) -> np.ndarray:
    """Hits that the default gate asks for, of each number of images in `N`; n + 1: never enough."""
    low, high = np.zeros_like(N), N + 1
    while (open_ := low < high).any():
        middle = (low + high) // 2
        reached = proportions.lower_bounds(np.minimum(middle, N), N) >= threshold
        high = np.where(open_ & reached, middle, high)
        low = np.where(open_ & ~reached, middle + 1, low)
    return low


def by_wilson(threshold: float) -> np.ndarray:
    """Hits that Wilson's interval alone would ask for: the score test, of which it is made."""
    z = stats.norm.ppf(0.5 + proportions.CONFIDENCE / 2)
    return np.ceil(N * threshold + z * np.sqrt(N * threshold * (1 - threshold)) - 1e-9)


def by_point(threshold: float) -> np.ndarray:
    """Hits that the plain comparison asks for; a share that is the threshold reaches it."""
    return np.ceil(N * threshold - 1e-9)


def blessed(asked: Asked, threshold: float, accuracy: float) -> np.ndarray:
    """The share of models of a true accuracy that val accuracy lets pass, for each of `N`."""
    return stats.binom.sf(asked(threshold) - 1, N, accuracy)


def likely(pmf: np.ndarray) -> np.ndarray:
    """The counts that matter: all others together have a probability below 1e-9."""
    return np.flatnonzero(pmf > 1e-9 / len(pmf))


def blessed_whole(
    n: int, threshold: float, accuracy: float, test_accuracy: float, tried: int = 1
) -> tuple[float, float]:
    """What val accuracy lets pass, and what is left when test must not contradict it.

    Args:
        n: images of val, and of test.
        threshold: of the gate.
        accuracy: true, on val.
        test_accuracy: true, on test.
        tried: independent models, of which the best on val is taken.
    """
    val = np.diff(stats.binom.cdf(np.arange(-1, n + 1), n, accuracy) ** tried)
    on_test = stats.binom.pmf(np.arange(n + 1), n, test_accuracy)
    passes = likely(val)
    passes = passes[passes >= by_gate(threshold)[n]]
    level = GATE.test_contradiction or 0.0
    kept = 0.0
    for hits in passes:
        least = proportions.hits_not_lower(n, int(hits), n, level)
        kept += val[hits] * on_test[least:].sum()
    return float(val[passes].sum()), float(kept)


def refused_as_worse(n: int, differ: float, worse: float) -> tuple[float, float]:
    """Shares of challengers that the paired test refuses, and that a `max_drop` does.

    Args:
        n: images of val.
        differ: share of images that one of the two models alone answers right.
        worse: by how much the challenger's true accuracy is lower.
    """
    lost = (differ + worse) / 2 / differ
    test, drop = 0.0, 0.0
    pairs = stats.binom.pmf(np.arange(n + 1), n, differ)
    for d in likely(pairs):
        allowed = proportions.losses_allowed(int(d), GATE.paired_test or 0.0)
        # lost - won = 2 lost - d is refused above max_drop * n.
        kept = math.floor((int(d) + MAX_DROP * n + 1e-9) / 2)
        test += pairs[d] * stats.binom.sf(allowed, d, lost)
        drop += pairs[d] * stats.binom.sf(kept, d, lost)
    return float(test), float(drop)


def images_for(threshold: float, accuracy: float, power: float) -> int | None:
    """From how many val images on a model of this accuracy passes so often."""
    short = np.flatnonzero(blessed(by_gate, threshold, accuracy) < power)
    return None if short[-1] == MOST else int(short[-1]) + 1


def percent(share: float, decimals: int = 1) -> str:
    return f'{100 * share:.{decimals}f} %' if share >= 0.0005 else '< 0.1 %' if share else '0'


def wrong_blessings() -> list[list[str]]:
    rows = []
    for threshold in THRESHOLDS:
        for below in (0.0, 0.02, 0.05):
            accuracy = threshold - below
            row = [f'{threshold:.2f}', f'{accuracy:.2f}']
            for rule in (by_gate, by_wilson, by_point):
                found = blessed(rule, threshold, accuracy)
                most = max(EVERY, key=found.__getitem__)
                row.append(f'{percent(found[most], 3)} (n = {most})')
            both = [blessed(rule, threshold, accuracy) for rule in (by_gate, by_point)]
            rows.append([*row, *(' / '.join(percent(found[n]) for found in both) for n in SIZES)])
    return rows


def power() -> list[list[str]]:
    return [
        [
            f'{threshold:.2f}',
            f'{threshold + above:.2f}',
            *(
                ' / '.join(map(percent, blessed_whole(n, threshold, *(2 * [threshold + above]))))
                for n in SIZES
            ),
        ]
        for threshold in THRESHOLDS
        for above in ABOVE
        if threshold + above < 1
    ]


def images_table() -> list[list[str]]:
    rows = []
    for threshold in (0.70, *THRESHOLDS):
        row = [f'{threshold:.2f}', f'{proportions.images_needed(1.0, threshold)}']
        for above in (0.02, 0.03, 0.05, 0.07, 0.10):
            accuracy = round(threshold + above, 2)
            found = images_for(threshold, accuracy, 0.8) if accuracy < 1 else None
            shown = f'over {MOST:,}' if found is None else f'{found:,}'
            row.append(shown if accuracy < 1 else '')
        rows.append(row)
    return rows


def contradictions() -> list[list[str]]:
    """Of models that val accuracy lets pass, the share that test refuses."""
    rows = []
    for lower in (0.0, 0.05, 0.10):
        row = [f'{lower:.2f}']
        for n in SIZES:
            passed, kept = blessed_whole(n, 0.8, 0.9, 0.9 - lower)
            row.append(percent(1 - kept / passed))
        rows.append(row)
    return rows


def comparisons() -> list[list[str]]:
    return [
        [
            percent(differ),
            f'{worse:.2f}',
            *(' / '.join(map(percent, refused_as_worse(n, differ, worse))) for n in SIZES),
        ]
        for worse in (0.0, 0.02, 0.05)
        for differ in (0.10, 0.20)
    ]


def floors(classes: int = 5, floor: float = 0.7) -> list[list[str]]:
    """Five classes, all but the worst at 0.9; held against the floor by point or by bound."""
    rows = []
    for worst in (0.9, 0.8, 0.7, 0.6, 0.5):
        row = [f'{worst:.2f}']
        for n in (10, 20, 50, 100):
            shares = [
                blessed(rule, floor, 0.9)[n] ** (classes - 1) * blessed(rule, floor, worst)[n]
                for rule in (by_point, by_gate)
            ]
            row.append(' / '.join(map(percent, shares)))
        rows.append(row)
    return rows


def chosen_among_many() -> list[list[str]]:
    return [
        [
            f'{tried}',
            *(' / '.join(map(percent, blessed_whole(n, 0.8, 0.8, 0.8, tried))) for n in SIZES),
        ]
        for tried in (1, 3, 10, 30)
    ]


def plot(path: pathlib.Path) -> None:
    """Draws a panel a threshold: the share of blessed models against the number of val images."""
    # Steps in which every threshold asks for whole hits, so that the comparison shows no teeth.
    sizes = np.arange(60, EVERY[-1] + 1, 20)
    figure = Figure(figsize=(15, 4.8))
    axes = figure.subplots(1, len(THRESHOLDS), sharey=True)
    series: Sequence[tuple[float, Asked, str, str, str]] = (
        (0.10, by_gate, '#08519c', '-', '10 points above'),
        (0.05, by_gate, '#3182bd', '-', '5 points above'),
        (0.02, by_gate, '#7bafd4', '-', '2 points above'),
        (0.00, by_gate, '#d95f02', '-', 'at the threshold: wrong'),
        (0.00, by_point, '#d95f02', ':', 'the same, plain comparison'),
    )
    for axis, threshold in zip(axes, THRESHOLDS, strict=True):
        for above, rule, colour, line, label in series:
            accuracy = round(threshold + above, 2)
            if accuracy > 1:
                continue
            values = blessed(rule, threshold, accuracy)[sizes]
            axis.plot(sizes, values, line, color=colour, label=label, linewidth=2)
        axis.set_title(f'threshold {threshold:.2f}')
        axis.set_xlabel('val images')
        axis.set_ylim(0, 1.02)
        axis.grid(axis='y', color='#dddddd')
    axes[0].set_ylabel('share of models that are blessed')
    lines, labels = axes[0].get_legend_handles_labels()
    figure.legend(lines, labels, loc='lower center', ncols=len(series), frameon=False)
    figure.tight_layout(rect=(0, 0.08, 1, 1))
    figure.savefig(path, metadata={'Date': None})


def main() -> None:
    """Computes every table, in seconds."""
    written = report.Report(__file__, __doc__ or '', report.parser(__doc__ or '', ()).parse_args())
    sizes = [f'n = {n:,}' for n in SIZES]
    tables: list[tuple[str, list[str], Callable[[], list[list[str]]], str]] = [
        ('Wrong blessings', ['threshold', 'true accuracy', 'gate: most of n = 50 to 1,000',
         "Wilson's interval alone: most", 'plain comparison: most', *sizes], wrong_blessings,
         'At each n: gate / plain comparison. This is the rule on val accuracy alone; the other '
         'rules can only refuse more.'),
        ('Power', ['threshold', 'true accuracy', *sizes], power,
         'Share of good models that the rule on val accuracy lets pass / that are left when test, '
         'of n images too and of the same true accuracy, must not contradict val.'),
        ('Val images needed', ['threshold', 'without one mistake', '+0.02', '+0.03', '+0.05',
         '+0.07', '+0.10'], images_table,
         'From how many val images on a model whose true accuracy is so far above the threshold '
         'passes in 80 % of cases.'),
        ('Test contradicts val', ['test lower by', *sizes], contradictions,
         'Of models with a true val accuracy of 0.90 that a threshold of 0.80 lets pass, the share '
         'that test refuses; in the first row, all of them falsely.'),
        ('Refused against a baseline', ['images on which the two differ', 'worse by', *sizes],
         comparisons, f'By the paired test at level {GATE.paired_test} / by max_drop '
         f'{MAX_DROP}. Where it is worse by 0.00 the refusal is false.'),
        ('A floor of 0.70 for the worst of five classes', ['true worst recall',
         *(f'{n} images a class' for n in (10, 20, 50, 100))], floors,
         'Share that passes, the other classes having a recall of 0.90: measured recall against '
         'the floor, as the gate does it / its lower bound.'),
        ('The best of several models on the same val', ['models tried', *sizes],
         chosen_among_many, 'All have a true accuracy of 0.80, which is the threshold, and their '
         'mistakes are independent, which is the worst case. Wrongly let pass by val accuracy / '
         'left when test must not contradict it.'),
    ]  # fmt: skip
    written.expect(len(tables))
    for title, columns, rows, below in tables:
        found = rows()
        written.finished(title)
        written.table(title, columns, found, below)
    if written.path is not None:
        with matplotlib.rc_context(STYLE):
            plot(PLOT)
    written.close()


if __name__ == '__main__':
    main()
