"""The rules that compare: with the blessed baseline on the same images, and test with val."""

from __future__ import annotations

import dataclasses

from thawline.components.evaluation.gate.counts import ClassChange, Counts, PairedCount
from thawline.components.evaluation.gate.rules import RuleResult, few, images, told, unmeasured
from thawline.components.shared import percentages
from thawline.components.statistics import proportions


def _reset(reset: ClassChange) -> str:
    parts = [
        f'{word} {few(repr(name) for name in names)}'
        for word, names in (('new', reset.added), ('gone', reset.removed))
        if names
    ]
    return f'The blessed baseline knows other classes ({"; ".join(parts)}): comparing starts anew.'


def _no_baseline(name: str, title: str, bound: float, baseline: ClassChange | None) -> RuleResult:
    sentence = 'There is no earlier blessed model.' if baseline is None else _reset(baseline)
    return RuleResult(name, title, None, None, bound, None, sentence)


def _points(difference: float, decimals: int) -> str:
    return f'{100 * difference:.{decimals}f} points'


def max_drop(numbers: Counts, most: float) -> RuleResult:
    """The measured difference to the baseline."""
    name, title = 'max_drop', 'Drop against the baseline'
    paired = numbers.baseline
    if not isinstance(paired, PairedCount):
        return _no_baseline(name, title, most, paired)
    if not paired.n:
        return unmeasured(name, title, most, 'there is no val image to compare on')
    value = (paired.lost - paired.won) / paired.n
    shown, allowed = told(abs(value), most, tell=_points)
    moved = f'fell by {shown}' if value > 0 else f'rose by {shown}' if value < 0 else 'is the same'
    sentence = f'Val accuracy {moved} against the blessed baseline; {allowed} may be lost.'
    return RuleResult(name, title, value <= most, value, most, most - value, sentence)


def paired_test(numbers: Counts, level: float, decides: bool) -> RuleResult:
    """McNemar's exact test against the baseline on the same images."""
    name, title = 'paired_test', 'PairedCount test against the baseline'
    paired = numbers.baseline
    if not isinstance(paired, PairedCount):
        return _no_baseline(name, title, level, paired)
    p = proportions.mcnemar(paired.won, paired.lost).worse
    worse, differ = p < level, paired.won + paired.lost
    sentence = (
        f'The model is {"" if worse else "not "}significantly worse than the blessed baseline '
        f'({_p(p, level)}): on {images(differ)} of {paired.n:,} the two differ, it alone is right '
        f'on {paired.won:,} and the baseline alone on {paired.lost:,}.'
    )
    change = ''
    if worse:
        allowed = proportions.losses_allowed(differ, level)
        change = f'Of these {differ:,} the baseline alone may be right on {allowed:,} at most.'
    return _test(RuleResult(name, title, not worse, p, level, p - level, sentence, change), decides)


def test_contradiction(numbers: Counts, level: float, decides: bool) -> RuleResult:
    """Fisher's exact test of test accuracy against val accuracy."""
    name, title = 'test_contradiction', 'Test against val'
    val, test = numbers.val, numbers.test
    if not val.n or not test.n:
        sentence = f'{"test" if val.n else "val"} has no image to compare with.'
        return RuleResult(name, title, None, None, level, None, sentence.capitalize())
    p = proportions.significantly_lower(test.hits, test.n, val.hits, val.n)
    lower = p < level
    sentence = (
        f'Test accuracy {percentages.percent(test.share)} is {"" if lower else "not "}'
        f'significantly lower than val accuracy {percentages.percent(val.share)} '
        f'({_p(p, level)}, {images(test.n)} '
        f'against {val.n:,}).'
    )
    change = ''
    if lower:
        needed = proportions.hits_not_lower(test.n, val.hits, val.n, level)
        change = (
            f'{needed:,} test images right instead of {test.hits:,} would be in line with val. '
            'Look for what sets the two apart: near-duplicates in train and val, other sources in '
            'test, or a model chosen among many on the same val images.'
        )
    return _test(RuleResult(name, title, not lower, p, level, p - level, sentence, change), decides)


def _number(value: float, decimals: int) -> str:
    return f'{value:.{decimals}f}'


def _p(p: float, level: float) -> str:
    return f'p = {told(p, level, 3, _number)[0]}' if p >= 0.001 else 'p < 0.001'


def _test(rule: RuleResult, decides: bool) -> RuleResult:
    """A test of chance decides nothing in the plain comparison, but is told."""
    if decides:
        return rule
    sentence = f'{rule.sentence} It does not decide: strictness is point.'
    return dataclasses.replace(rule, holds=None, sentence=sentence, change='')
