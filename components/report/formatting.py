"""Numbers as the report writes them, and titles of metrics.

Shares are written as `components.shared.percentages` writes them, their differences in points.
The space before the percent sign does not break.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from thawline.components.evaluation.gate.rule_result import image_count as image_count
from thawline.components.report.content import Interval, RuleResult, Verdict
from thawline.components.shared import percentages
from thawline.components.shared.durations import duration as duration
from thawline.components.shared.splits import TEST, VAL
from thawline.components.statistics.paired_outcome import LEVEL, Difference, p_text

ABSENT = '–'  # noqa: RUF001  an en dash is the mark of an empty cell
# The space of '84.2 %'.
_PERCENT = re.compile(r'(?<=\d) (?=%)')
_MINUS = '\N{MINUS SIGN}'
_UNITS = {
    'max_latency_ms': 'ms',
    'max_size_mb': 'MB',
    'finite_probabilities': 'images',
    'looks': 'models',
}
_TESTS = ('paired_test', 'test_contradiction')
_METRICS = {
    'balanced_accuracy': 'Balanced accuracy',
    'macro_f1': 'Macro F1',
    'log_loss': 'Log loss',
    'ece': 'Calibration error (ECE)',
    'auc_ovr': 'AUC, one-vs-rest',
}
_SPLITS = {VAL: 'Validation', TEST: 'Test'}
# Not shares: a logarithm, and an area that is quoted as a number.
PLAIN_METRICS = ('log_loss', 'auc_ovr')


def no_break(text: str) -> str:
    """Keeps a number and its percent sign on one line."""
    return _PERCENT.sub('\u00a0', text)


def percent(share: float | None, decimals: int = 1) -> str:
    """0.8421 as '84.2 %'."""
    return ABSENT if share is None else no_break(percentages.percent(share, decimals))


def points(difference: float | None) -> str:
    """0.042 as '+4.2 points'."""
    return ABSENT if difference is None else _signed(f'{100 * difference:+.1f} points')


def _signed(text: str) -> str:
    return text.replace('-', _MINUS)


def interval_ends(interval: Interval) -> str:
    """'77.0 to 89.6 %'; a dash where there is no image."""
    if interval.share is None:
        return ABSENT
    return no_break(percentages.between(interval.lower, interval.upper))


def difference(value: float | None, metric: str = '') -> str:
    """A difference of shares in points, of other metrics as a number."""
    if value is None or metric not in PLAIN_METRICS:
        return points(value)
    return _signed(f'{value:+.3f}')


def difference_ends(of: Difference | None, metric: str = '') -> str:
    """'−1.2 to +9.6 points'."""  # noqa: RUF002  what it writes
    if of is None or of.lower is None or of.upper is None:
        return ABSENT
    low = difference(of.lower, metric).removesuffix(' points')
    return f'{low} to {difference(of.upper, metric)}'


def split_title(name: str, folds: int = 0) -> str:
    """'val' as 'Validation', or as 'Cross-validation' where all images judge, in `folds`."""
    return 'Cross-validation' if folds and name == VAL else _SPLITS.get(name, name)


def split_images(n: int, name: str, folds: int = 0) -> str:
    """'200 val images'; '200 images' where all images judge, in `folds`."""
    return image_count(n, '' if folds else name)


def metric_title(name: str) -> str:
    """'top_3_accuracy' as 'Top 3 accuracy'."""
    return _METRICS.get(name) or name.replace('_', ' ').capitalize()


def metric_value(name: str, value: float | None) -> str:
    """The value of a metric of `SplitResults.metrics` in its unit."""
    if value is None or name not in PLAIN_METRICS:
        return percent(value)
    return f'{value:.3f}'


def decision(verdict: Verdict, serving_problems: Sequence[str] = ()) -> str:
    """What the gate decided, or the serving check after it."""
    if verdict.blessed and serving_problems:
        return 'refused by the serving check'
    return 'blessed' if verdict.blessed else 'not blessed'


def rule_number(rule: RuleResult, value: float | None) -> str:
    """The value or the bound of a rule in its unit."""
    if value is None:
        return ABSENT
    if rule.name in _UNITS:
        return f'{value:,.4g}\u00a0{_UNITS[rule.name]}'
    if rule.name in _TESTS:
        return p_text(value, rule.bound or LEVEL).replace(' ', '\u00a0')
    return points(value) if rule.name == 'max_drop' else percent(value)


def rule_margin(rule: RuleResult) -> str:
    """By how much a rule holds or fails, in its unit."""
    if rule.margin is None:
        return ABSENT
    if rule.name in _UNITS:
        return _signed(f'{rule.margin:+,.4g}\u00a0{_UNITS[rule.name]}')
    if rule.name in _TESTS:
        return _signed(f'{rule.margin:+.3f}')
    return points(rule.margin)


def rule_outcome(rule: RuleResult) -> str:
    return 'does not apply' if rule.holds is None else 'holds' if rule.holds else 'fails'
