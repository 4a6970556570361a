"""How often the gate blesses wrongly, and how often it passes a good model.

- Every share is an exact sum over binomial counts of hits; nothing is simulated. The rules are
  those of `components.evaluation.gate` with default settings, and `test_contradiction: refuse`.
- A blessing is wrong if the true accuracy is at or below the threshold. The plain comparison
  compares the measured accuracy with the threshold, as `strictness: point` does.
- Val and test have the same number of independent images, and the model was fixed before they were
  used. The last table shows the effect of trying many models on the same val images.
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
from thawline.components.evaluation.gate import repeated_looks
from thawline.components.evaluation.gate.params import Gate
from thawline.components.statistics import paired, paired_outcome, proportions
from thawline.pipeline.planning.power import hits_needed

GATE = Gate()
MAX_DROP = 0.02  # for comparison; off by default
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
HitRule = Callable[[float], np.ndarray]
N = np.arange(MOST + 1)


@functools.cache
def hits_for_gate(threshold: float) -> np.ndarray:
    """Hits that the default gate requires for each number of images in `N`; n + 1: never enough."""
    return hits_needed(threshold, most=MOST)


def hits_for_wilson(threshold: float) -> np.ndarray:
    """Hits that Wilson's interval alone would require, by the score test that it inverts."""
    z = stats.norm.ppf(0.5 + proportions.CONFIDENCE / 2)
    return np.ceil(N * threshold + z * np.sqrt(N * threshold * (1 - threshold)) - 1e-9)


def hits_for_point(threshold: float) -> np.ndarray:
    """Hits that the plain comparison requires; a share equal to the threshold passes."""
    return np.ceil(N * threshold - 1e-9)


def pass_rate(rule: HitRule, threshold: float, accuracy: float) -> np.ndarray:
    """The share of models with this true accuracy that pass on val accuracy, for each of `N`."""
    return stats.binom.sf(rule(threshold) - 1, N, accuracy)


def likely_counts(pmf: np.ndarray) -> np.ndarray:
    """The counts that matter: all others together have a probability below 1e-9."""
    return np.flatnonzero(pmf > 1e-9 / len(pmf))


def pass_rates(
    n: int, threshold: float, accuracy: float, test_accuracy: float, tried: int = 1
) -> tuple[float, float]:
    """Shares that pass on val accuracy, and that pass if test must not contradict it as well.

    Args:
        n: images of val, and of test.
        threshold: of the gate.
        accuracy: true, on val.
        test_accuracy: true, on test.
        tried: independent models, of which the best on val is taken.
    """
    val = np.diff(stats.binom.cdf(np.arange(-1, n + 1), n, accuracy) ** tried)
    on_test = stats.binom.pmf(np.arange(n + 1), n, test_accuracy)
    passes = likely_counts(val)
    passes = passes[passes >= hits_for_gate(threshold)[n]]
    level = paired_outcome.LEVEL
    kept = 0.0
    for hits in passes:
        least = proportions.hits_not_lower(n, int(hits), n, level)
        kept += val[hits] * on_test[least:].sum()
    return float(val[passes].sum()), float(kept)


def refusal_rates(n: int, differ: float, worse: float) -> tuple[float, float]:
    """Shares of candidates refused by the paired test, and by `max_drop`.

    Args:
        n: images of val.
        differ: share of images that exactly one of the two models classifies correctly.
        worse: by how much the candidate's true accuracy is lower.
    """
    lost = (differ + worse) / 2 / differ
    test, drop = 0.0, 0.0
    pairs = stats.binom.pmf(np.arange(n + 1), n, differ)
    for d in likely_counts(pairs):
        allowed = paired.losses_allowed(int(d), GATE.paired_test or 0.0)
        # lost - won = 2 lost - d is refused above max_drop * n.
        kept = math.floor((int(d) + MAX_DROP * n + 1e-9) / 2)
        test += pairs[d] * stats.binom.sf(allowed, d, lost)
        drop += pairs[d] * stats.binom.sf(kept, d, lost)
    return float(test), float(drop)


def images_needed(threshold: float, accuracy: float, power: float) -> int | None:
    """From how many val images on a model with this accuracy passes with this power."""
    short = np.flatnonzero(pass_rate(hits_for_gate, threshold, accuracy) < power)
    return None if short[-1] == MOST else int(short[-1]) + 1


def percent(share: float, decimals: int = 1) -> str:
    return f'{100 * share:.{decimals}f} %' if share >= 0.0005 else '< 0.1 %' if share else '0'


def wrong_blessings() -> list[list[str]]:
    rows = []
    for threshold in THRESHOLDS:
        for below in (0.0, 0.02, 0.05):
            accuracy = threshold - below
            row = [f'{threshold:.2f}', f'{accuracy:.2f}']
            for rule in (hits_for_gate, hits_for_wilson, hits_for_point):
                rates = pass_rate(rule, threshold, accuracy)
                worst = max(EVERY, key=rates.__getitem__)
                row.append(f'{percent(rates[worst], 3)} (n = {worst})')
            both = [
                pass_rate(rule, threshold, accuracy) for rule in (hits_for_gate, hits_for_point)
            ]
            rows.append([*row, *(' / '.join(percent(rates[n]) for rates in both) for n in SIZES)])
    return rows


def power() -> list[list[str]]:
    return [
        [
            f'{threshold:.2f}',
            f'{threshold + above:.2f}',
            *(
                ' / '.join(
                    map(percent, pass_rates(n, threshold, threshold + above, threshold + above))
                )
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
            if accuracy >= 1:
                row.append('')
                continue
            n = images_needed(threshold, accuracy, 0.8)
            row.append(f'over {MOST:,}' if n is None else f'{n:,}')
        rows.append(row)
    return rows


def contradictions() -> list[list[str]]:
    """Of the models that pass on val accuracy, the share that test refuses."""
    rows = []
    for lower in (0.0, 0.05, 0.10):
        rates = [pass_rates(n, 0.8, 0.9, 0.9 - lower) for n in SIZES]
        rows.append([f'{lower:.2f}', *(percent(1 - both / val) for val, both in rates)])
    return rows


def comparisons() -> list[list[str]]:
    return [
        [
            percent(differ),
            f'{worse:.2f}',
            *(' / '.join(map(percent, refusal_rates(n, differ, worse))) for n in SIZES),
        ]
        for worse in (0.0, 0.02, 0.05)
        for differ in (0.10, 0.20)
    ]


def floors(classes: int = 5, floor: float = 0.7) -> list[list[str]]:
    """Five classes, all but the worst at 0.9; by the measured share or by its bound."""
    rows = []
    for worst in (0.9, 0.8, 0.7, 0.6, 0.5):
        row = [f'{worst:.2f}']
        for n in (10, 20, 50, 100):
            shares = [
                pass_rate(rule, floor, 0.9)[n] ** (classes - 1) * pass_rate(rule, floor, worst)[n]
                for rule in (hits_for_point, hits_for_gate)
            ]
            row.append(' / '.join(map(percent, shares)))
        rows.append(row)
    return rows


def best_of_many() -> list[list[str]]:
    rows = []
    for tried in (1, 3, 10, 30):
        rates = [pass_rates(n, 0.8, 0.8, 0.8, tried) for n in SIZES]
        rows.append([f'{tried}', *(' / '.join(map(percent, pair)) for pair in rates)])
    return rows


def looks() -> list[list[str]]:
    rows = []
    strict = Gate(looks='strict')
    for tried in (1, 2, 5, 10, 30):
        row = [f'{tried}']
        for n in SIZES:
            none = {GATE.looks: 1.0, strict.looks: 1.0}
            for number in range(1, tried + 1):
                for gate in (GATE, strict):
                    confidence = 1 - 2 * repeated_looks.alpha(gate, number)
                    needed = proportions.hits_needed(n, 0.8, confidence)
                    if needed is not None:
                        none[gate.looks] *= float(stats.binom.cdf(needed - 1, n, 0.8))
            row.append(' / '.join(percent(1 - share) for share in none.values()))
        rows.append(row)
    return rows


def plot(path: pathlib.Path) -> None:
    """Draws a panel a threshold: the share of blessed models by number of val images."""
    # Steps in which every threshold asks for whole hits, so that the comparison shows no teeth.
    sizes = np.arange(60, EVERY[-1] + 1, 20)
    figure = Figure(figsize=(15, 4.8))
    axes = figure.subplots(1, len(THRESHOLDS), sharey=True)
    series: Sequence[tuple[float, HitRule, str, str, str]] = (
        (0.10, hits_for_gate, '#08519c', '-', '10 points above'),
        (0.05, hits_for_gate, '#3182bd', '-', '5 points above'),
        (0.02, hits_for_gate, '#7bafd4', '-', '2 points above'),
        (0.00, hits_for_gate, '#d95f02', '-', 'at the threshold: wrong'),
        (0.00, hits_for_point, '#d95f02', ':', 'the same, plain comparison'),
    )
    for axis, threshold in zip(axes, THRESHOLDS, strict=True):
        for above, rule, colour, line, label in series:
            accuracy = round(threshold + above, 2)
            if accuracy > 1:
                continue
            values = pass_rate(rule, threshold, accuracy)[sizes]
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
    output = report.Report(__file__, __doc__ or '', report.parser(__doc__ or '', ()).parse_args())
    sizes = [f'n = {n:,}' for n in SIZES]
    tables: list[tuple[str, list[str], Callable[[], list[list[str]]], str]] = [
        ('Wrong blessings', ['threshold', 'true accuracy', 'gate: most for n = 50 to 1,000',
         "Wilson's interval alone: most", 'plain comparison: most', *sizes], wrong_blessings,
         'For each n: gate / plain comparison, by the rule on val accuracy alone; the other rules '
         'can only refuse more.'),
        ('Power', ['threshold', 'true accuracy', *sizes], power,
         'Share of good models that pass on val accuracy / that also pass if test, with n images '
         'and the same true accuracy, must not contradict val.'),
        ('Val images needed', ['threshold', 'all correct', '+0.02', '+0.03', '+0.05',
         '+0.07', '+0.10'], images_table,
         'Number of val images from which a model whose true accuracy is this far above the '
         'threshold passes in 80 % of cases.'),
        ('Test contradicts val', ['test lower by', *sizes], contradictions,
         'Of the models with a true val accuracy of 0.90 that pass a threshold of 0.80, the share '
         'that test refuses; in the first row, all refusals are false.'),
        ('Refused against a baseline', ['images on which the two differ', 'worse by', *sizes],
         comparisons, f'By the paired test at level {GATE.paired_test} / by max_drop = {MAX_DROP}. '
         'Refusals in the rows with 0.00 are false.'),
        ('A floor of 0.70 for the worst of five classes', ['true worst recall',
         *(f'{n} images a class' for n in (10, 20, 50, 100))], floors,
         'Share that passes if the other classes have a recall of 0.90: by measured recall, as in '
         'the gate / by its lower bound.'),
        ('The best of several models on the same val', ['models tried', *sizes],
         best_of_many, 'All have a true accuracy of 0.80, the threshold, and independent mistakes, '
         'the worst case. Passing wrongly on val accuracy / if test must not contradict val.'),
        ('One model after another on the same val', ['looks', *sizes], looks,
         'All have a true accuracy of 0.80, the threshold, and independent mistakes. The chance '
         'that one or more are blessed: gate.looks: report / strict.'),
    ]  # fmt: skip
    output.expect(len(tables))
    for title, columns, rows, below in tables:
        values = rows()
        output.finished(title)
        output.table(title, columns, values, below)
    if output.path is not None:
        with matplotlib.rc_context(STYLE):
            plot(PLOT)
    output.close()


if __name__ == '__main__':
    main()
