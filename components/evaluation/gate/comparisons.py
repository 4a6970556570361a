"""The rules that compare: with the blessed baseline on unseen images, and test with val."""

from __future__ import annotations

from thawline.components.evaluation.gate.counts import ClassChange, Counts, NoRecord, PairedCount
from thawline.components.evaluation.gate.record import RuleResult
from thawline.components.evaluation.gate.rule_result import (
    at_least,
    at_most,
    format_pair,
    image_count,
    quote,
    without_effect,
)
from thawline.components.shared import percentages
from thawline.components.statistics import proportions
from thawline.components.statistics.paired import losses_allowed, mcnemar

# Fewer pairs cannot tell a bad loss from chance: of 20 the test finds a model that loses a quarter
# (5 lost and none won: p = 0.03), of 16 it does not (4 lost and none won: p = 0.06).
FEWEST_PAIRS = 20


def max_drop(counts: Counts, limit: float) -> RuleResult:
    """The measured difference to the baseline."""
    name, title, paired = 'max_drop', 'Drop against the baseline', counts.baseline
    if not isinstance(paired, PairedCount) or paired.n < FEWEST_PAIRS:
        return _not_compared(name, title, limit, counts)
    value = (paired.lost - paired.won) / paired.n
    points, allowed = format_pair(abs(value), limit, form=_points)
    moved = (
        f'is {points} {"below" if value > 0 else "above"} that of' if value else 'equals that of'
    )
    sentence = (
        f'Accuracy on the {image_count(paired.n, "test")} that neither model has seen {moved} the '
        f'blessed baseline; a drop of up to {allowed} is allowed.'
    )
    return at_most(name, title, value, limit, sentence)


def paired_test(counts: Counts, level: float, decides: bool) -> RuleResult:
    """McNemar's exact test against the baseline on the same images."""
    name, title, paired = 'paired_test', 'Paired test against the baseline', counts.baseline
    if not isinstance(paired, PairedCount) or paired.n < FEWEST_PAIRS:
        return _not_compared(name, title, level, counts)
    p = mcnemar(paired.won, paired.lost).worse
    differ = paired.won + paired.lost
    sentence = (
        f'The model is {"" if p < level else "not "}significantly worse than the blessed baseline '
        f'({_p_value(p, level)}): they differ on {differ:,} of the '
        f'{image_count(paired.n, "test")} that neither has seen, with only the model correct on '
        f'{paired.won:,} and only the baseline correct on {paired.lost:,}.'
    )
    allowed = losses_allowed(differ, level)
    change = (
        f'It would pass with only the baseline correct on at most {allowed:,} of these {differ:,}.'
    )
    return _test(name, title, p, level, sentence, change, decides)


def test_contradiction(counts: Counts, level: float, decides: bool) -> RuleResult:
    """Fisher's exact test of test accuracy against val accuracy."""
    name, title = 'test_contradiction', 'Test against val'
    val, test = counts.val, counts.test
    if not val.n or not test.n:
        sentence = f'There are no {"test" if val.n else "val"} images to compare.'
        return RuleResult(name, title, None, None, level, None, sentence)
    p = proportions.fisher_p_value(test.hits, test.n, val.hits, val.n)
    sentence = (
        f'Test accuracy ({percentages.percent(test.share)} of {image_count(test.n)}) is '
        f'{"" if p < level else "not "}significantly lower than val accuracy '
        f'({percentages.percent(val.share)} of {image_count(val.n)}): {_p_value(p, level)}.'
    )
    needed = proportions.hits_not_lower(test.n, val.hits, val.n, level)
    change = (
        f'{needed:,} test images correct instead of {test.hits:,} would be consistent with val. '
        'Look for the cause: near-duplicates across train and val, images from other sources in '
        'test, or many models compared on the same val images.'
    )
    return _test(name, title, p, level, sentence, change, decides)


def _test(
    name: str, title: str, p: float, level: float, sentence: str, change: str, decides: bool
) -> RuleResult:
    result = at_least(name, title, p, level, sentence, change if p < level else '')
    return result if decides else without_effect(result)


def _not_compared(name: str, title: str, bound: float, counts: Counts) -> RuleResult:
    """A rule that decides nothing; a caution where there is a baseline that it should protect."""
    sentence = _why_not_compared(counts)
    caution = '' if counts.baseline is None else sentence
    return RuleResult(name, title, None, None, bound, None, sentence, caution=caution)


def _why_not_compared(counts: Counts) -> str:
    baseline = counts.baseline
    if baseline is None:
        return 'There is no blessed model to compare with yet.'
    if isinstance(baseline, ClassChange):
        changes = {'added': baseline.added, 'removed': baseline.removed}
        listed = [f'{kind} {quote(names)}' for kind, names in changes.items() if names]
        return (
            f'The blessed baseline has different classes ({"; ".join(listed)}), so the two models '
            'are not compared.'
        )
    if isinstance(baseline, NoRecord):
        reason = 'There is no record of the images that the blessed baseline has seen.'
    elif not counts.test.n:
        return (
            'There are no labelled test images to compare the model with the blessed baseline on; '
            'val images do not count, because they were used to choose the model. Keep a test '
            'split.'
        )
    elif baseline.n:
        reason = (
            f'Only {image_count(baseline.n)} {"was" if baseline.n == 1 else "were"} seen by '
            f'neither model; at least {FEWEST_PAIRS} are needed.'
        )
    else:
        reason = (
            'All test images, or others of their groups, were seen by one of the two models; at '
            f'least {FEWEST_PAIRS} that neither has seen are needed.'
        )
    return f'{reason} The comparison starts anew with this model.'


def _points(difference: float, decimals: int) -> str:
    return f'{100 * difference:.{decimals}f} points'


def _p_value(p: float, level: float) -> str:
    if p < 0.001:
        return 'p < 0.001'
    return f'p = {format_pair(p, level, 3, lambda value, decimals: f"{value:.{decimals}f}")[0]}'
