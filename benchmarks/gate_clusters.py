"""How often the gate blesses wrongly where images are not independent, and what it passes.

- Images come in clusters (groups, near-duplicates). The accuracy of a cluster is drawn from a beta
  distribution whose mean is the true accuracy, so that answers in a cluster are correlated (ICC);
  ICC 1: all of a cluster are correct, or none. The gate's bound is `clustered_bound.lower_bound`,
  the naive one that of independent images.
- A blessing is wrong if the true accuracy is the threshold. "(most)" is the upper end of the 95 %
  interval of the simulation.
- Near-duplicates: 80 % single images, the others in clusters of 2 to 8, ICC 0.7. Few: 94 % single
  images, pairs, one cluster of 3 and one of 4, ICC 0.7.
- Unlike the rest: single images that are nearly always correct, beside some clusters in which
  answers are all correct or all wrong, so that nearly all mistakes are theirs; for each threshold
  the worst of many mixtures, by exact sums. Here the bound is too optimistic.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator

import numpy as np
from scipy import stats

from benchmarks import report
from thawline.components.statistics import clustered_bound, proportions

DRAWS = 20_000
THRESHOLDS = (0.70, 0.80, 0.90, 0.95)
SIZES = (60, 100, 200, 400, 1000)
ABOVE = (0.05, 0.10)
PIECE = 1000
Design = tuple[str, Callable[[int], np.ndarray], float]


def single(n: int) -> np.ndarray:
    return np.ones(n, int)


def equal(size: int, n: int) -> np.ndarray:
    return np.full(n // size, size)


def near_duplicates(n: int) -> np.ndarray:
    """Sizes of clusters: 80 % of the images alone, the others in clusters of 2, 3, ... 8, 2, ..."""
    sizes = [1] * int(0.8 * n)
    for size in itertools.cycle(range(2, 9)):
        if sum(sizes) + size > n:
            return np.array(sizes)
        sizes.append(size)
    raise AssertionError


def few_near_duplicates(n: int) -> np.ndarray:
    return np.array([1] * int(0.94 * n) + [2] * int(0.02 * n) + [3, 4])


DESIGNS: tuple[Design, ...] = (
    ('independent', single, 0.0),
    ('groups of 6, ICC 0.3', functools.partial(equal, 6), 0.3),
    ('groups of 10, ICC 0.1', functools.partial(equal, 10), 0.1),
    ('groups of 10, ICC 0.3', functools.partial(equal, 10), 0.3),
    ('groups of 10, ICC 0.5', functools.partial(equal, 10), 0.5),
    ('groups of 10, ICC 1', functools.partial(equal, 10), 1.0),
    ('near-duplicates', near_duplicates, 0.7),
    ('few near-duplicates', few_near_duplicates, 0.7),
)


def draw(
    rng: np.random.Generator, sizes: np.ndarray, accuracy: float, icc: float, draws: int
) -> np.ndarray:
    """Hits of each cluster: int [draws, clusters]."""
    shape = draws, len(sizes)
    chances = np.full(shape, accuracy)
    if icc == 1:
        chances = (rng.random(shape) < accuracy).astype(float)
    elif icc > 0:
        spread = 1 / icc - 1
        chances = rng.beta(accuracy * spread, (1 - accuracy) * spread, shape)
    hits: np.ndarray = rng.binomial(sizes, chances)
    return hits


def passes(hits: np.ndarray, sizes: np.ndarray, threshold: float) -> np.ndarray:
    """Whether the gate's bound reaches the threshold: bool [draws]."""
    if sizes.max() == 1:
        return naive(hits, sizes, threshold)
    kinds = [(h, size) for size in np.unique(sizes).tolist() for h in range(size + 1)]
    number = np.stack([((hits == h) & (sizes == size)).sum(axis=1) for h, size in kinds], axis=1)
    number, place = np.unique(number, axis=0, return_inverse=True)
    right, size = np.array(kinds, float).T
    reached = number @ right / (number @ size) > threshold  # the bound is below the share
    for start in range(0, len(number), PIECE):
        rows = start + np.flatnonzero(reached[start : start + PIECE])
        if len(rows):
            below = clustered_bound.not_above(right, size, number[rows], threshold)
            reached[rows] = below <= clustered_bound.ALPHA
    return reached[place.ravel()]


def naive(hits: np.ndarray, sizes: np.ndarray, threshold: float) -> np.ndarray:
    return proportions.lower_bounds(hits.sum(axis=1), sizes.sum()) >= threshold


def rates(design: Design, n: int, threshold: float, accuracy: float, draws: int) -> tuple[int, int]:
    """How many draws pass by the gate's bound and by the naive one."""
    _, sizes_of, icc = design
    key = [DESIGNS.index(design), n, round(100 * threshold), round(100 * accuracy)]
    sizes = sizes_of(n)
    hits = draw(np.random.default_rng(key), sizes, accuracy, icc, draws)
    return int(passes(hits, sizes, threshold).sum()), int(naive(hits, sizes, threshold).sum())


def percent(share: float) -> str:
    return f'{100 * share:.2f} %' if share < 0.1 else f'{100 * share:.1f} %'


def wrong_blessings(design: Design, draws: int) -> Iterator[list[str]]:
    for threshold in THRESHOLDS:
        row = [design[0], f'{threshold:.2f}']
        for n in SIZES:
            mine, other = rates(design, n, threshold, threshold, draws)
            most = proportions.wilson(mine, draws).upper
            row.append(f'{percent(mine / draws)} ({percent(most)}) / {percent(other / draws)}')
        yield row


def power(design: Design, draws: int) -> Iterator[list[str]]:
    for threshold, above in itertools.product((0.80, 0.90), ABOVE):
        accuracy = round(threshold + above, 2)
        if accuracy >= 1:
            continue
        row = [design[0], f'{threshold:.2f}', f'{accuracy:.2f}']
        for n in SIZES:
            mine, other = rates(design, n, threshold, accuracy, draws)
            row.append(f'{percent(mine / draws)} / {percent(other / draws)}')
        yield row


def unlike(threshold: float) -> tuple[float, str]:
    """The worst share of wrong blessings of all mixtures, and which one it is."""
    worst = 0.0, ''
    shares = np.array([1.0, 0.99, 0.97, 0.9])
    grid = itertools.product(
        (2, 3, 5, 8, 15, 30), (1, 2, 3, 5, 10), shares[shares > threshold],
        (0.1, 0.3, 0.6, 0.85, 0.95),
    )  # fmt: skip
    for size, clusters, alone, part in grid:
        right = part * threshold  # of the clusters
        n = int(size * clusters * (threshold - right) / (alone - threshold))
        if 1 <= n <= 1500:
            rate = _mixture(n, float(alone), size, clusters, right)
            if rate > worst[0]:
                worst = (
                    rate,
                    (
                        f'{n} images alone, {100 * alone:.0f} % correct; {clusters} of {size}, '
                        f'{100 * right:.0f} %'
                    ),
                )
    return worst


def _mixture(n: int, alone: float, size: int, clusters: int, right: float) -> float:
    """Wrong blessings, the threshold being the true accuracy of the mixture."""
    truth = (n * alone + size * clusters * right) / (n + size * clusters)
    single_hits = np.arange(n + 1)
    chance = stats.binom.pmf(single_hits, n, alone)
    single_hits, chance = single_hits[chance > 1e-6], chance[chance > 1e-6]
    whole = np.arange(clusters + 1)
    a, b = (grid.ravel() for grid in np.meshgrid(single_hits, whole, indexing='ij'))
    weight = np.outer(chance, stats.binom.pmf(whole, clusters, right)).ravel()
    number = np.stack([a, n - a, b, clusters - b], axis=1)
    kinds = np.array([1.0, 0, size, 0]), np.array([1.0, 1, size, size])
    reached = number @ kinds[0] / (number @ kinds[1]) > truth
    if reached.any():
        below = clustered_bound.not_above(*kinds, number[reached], truth)
        reached[reached] = below <= clustered_bound.ALPHA
    return float(weight[reached].sum())


def main() -> None:
    """Simulates every cell, in some minutes."""
    parser = report.parser(__doc__ or '', ())
    parser.add_argument('--draws', type=int, default=DRAWS)
    arguments = parser.parse_args()
    output = report.Report(__file__, __doc__ or '', arguments)
    draws = arguments.draws
    sizes = [f'n = {n:,}' for n in SIZES]
    output.expect(2 * len(DESIGNS) + 1)
    tables: dict[str, list[list[str]]] = {'wrong': [], 'power': []}
    for name, rows in (('wrong', wrong_blessings), ('power', power)):
        for design in DESIGNS:
            tables[name] += rows(design, draws)
            output.finished(f'{name}: {design[0]}')
    output.table(
        'Wrong blessings', ['images', 'threshold', *sizes], tables['wrong'],
        f'The gate (most) / the naive bound; {draws:,} draws a cell.',
    )  # fmt: skip
    output.table(
        'Power', ['images', 'threshold', 'true accuracy', *sizes], tables['power'],
        'The gate / the naive bound, which is not allowed to pass so many: see above.',
    )  # fmt: skip
    worst = [(threshold, *unlike(threshold)) for threshold in THRESHOLDS]
    output.finished('unlike the rest')
    output.table(
        'A few clusters unlike the rest', ['threshold', 'wrong blessings, at most', 'by'],
        [[f'{threshold:.2f}', percent(rate), which] for threshold, rate, which in worst],
        'Single images and clusters have accuracies of their own, chosen so that the bound errs '
        'most.',
    )  # fmt: skip
    output.close()


if __name__ == '__main__':
    main()
