"""The one standard error rule on hits that are made to measure."""

from __future__ import annotations

import numpy as np

from thawline.components.statistics import clustered
from thawline.components.training.cross_validation import ProbeScores
from thawline.pipeline.base_ranking import ranking

N = 400
GROUPS = np.arange(N)


def transfer(hits: np.ndarray) -> ProbeScores:
    """A result of which only the probe's and the majority's hits matter here."""
    share, guess = clustered.estimate(hits, GROUPS), GROUPS < 120
    majority = clustered.estimate(guess, GROUPS)
    return ProbeScores(share, share, majority, hits, hits, guess, np.zeros((N, 2)), ())


def first(count: int) -> ProbeScores:
    """Right on the first `count` images."""
    return transfer(count > GROUPS)


def test_the_best_is_taken_where_it_is_better_beyond_noise():
    found = ranking.rank([first(300), first(360)], [1.0, 9.0], first(150), GROUPS)
    assert found.order == (1, 0) and found.best == found.recommended == 1
    assert found.best_over_recommended.mean == 0
    assert found.best_over_random.significant and found.best_over_majority.significant


def test_the_cheapest_of_equals_is_taken():
    best = GROUPS < 350
    noisy = best.copy()
    noisy[340:350], noisy[350:359] = False, True  # 10 lost, 9 won
    found = ranking.rank(
        [transfer(best), transfer(noisy), first(200)], [9.0, 2.0, 1.0], first(100), GROUPS
    )
    assert found.best == 0 and found.recommended == 1
    assert 0 < found.best_over_recommended.mean < found.best_over_recommended.standard_error


def test_pairing_tells_apart_what_two_intervals_would_not():
    # 8 images of 400: far within the error of either share, yet only ever in one direction.
    worse, best = first(340), first(348)
    assert best.probe.share - worse.probe.share < best.probe.standard_error * 1.2
    found = ranking.rank([worse, best], [1.0, 5.0], first(100), GROUPS)
    assert found.recommended == 1


def test_one_base_alone_and_equal_results():
    alone = ranking.rank([first(300)], [3.0], first(299), GROUPS)
    assert alone.recommended == alone.best == 0 and not alone.best_over_random.significant
    equal = ranking.rank([first(300), first(300)], [3.0, 2.0], first(100), GROUPS)
    assert equal.order == (1, 0) and equal.recommended == 1
