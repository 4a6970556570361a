"""Numbers as the report writes them, and names for what is measured.

Shares are written as `components.shared.percentages` writes them, their differences in points.
The space before the percent sign does not break.
"""

from __future__ import annotations

import re

from thawline.components.report.content import Interval, RuleResult, SplitResults
from thawline.components.shared import percentages

ABSENT = '–'  # noqa: RUF001  an en dash is the mark of an empty cell
# The space of '84.2 %'.
_PERCENT = re.compile(r'(?<=\d) (?=%)')
_MINUS = '\N{MINUS SIGN}'
_UNITS = {'max_latency_ms': 'ms', 'max_size_mb': 'MB', 'finite_probabilities': 'images'}
_TESTS = ('paired_test', 'test_contradiction')
_METRICS = {
    'balanced_accuracy': 'Balanced accuracy',
    'macro_f1': 'Macro F1',
    'log_loss': 'Log loss',
    'ece': 'Calibration error (ECE)',
    'auc_ovr': 'AUC, one class against the rest',
}
_PARTS = {'val': 'Validation', 'test': 'Test'}
# Neither shares nor in percent: a logarithm, and an area that is quoted as a number.
PLAIN_METRICS = ('log_loss', 'auc_ovr')


def no_break(text: str) -> str:
    """No line ends between a number and its percent sign."""
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
    """The ends of an interval: '77.0 to 89.6 %'; they say nothing where there is no image."""
    if interval.share is None:
        return ABSENT
    return no_break(percentages.between(interval.lower, interval.upper))


def image_count(n: int) -> str:
    """'1 image', '1,234 images'."""
    return f'{n:,} {"image" if n == 1 else "images"}'


def split_title(name: str) -> str:
    """The split's name for people."""
    return _PARTS.get(name, name)


def metric_title(name: str) -> str:
    """'top_3_accuracy' as 'Top 3 accuracy'."""
    return _METRICS.get(name) or name.replace('_', ' ').capitalize()


def metric_value(name: str, value: float | None) -> str:
    """The value of a metric of `Part.metrics` in its unit."""
    if value is None or name not in PLAIN_METRICS:
        return percent(value)
    return f'{value:.3f}'


def rule_number(rule: RuleResult, value: float | None) -> str:
    """The value or the bound of a rule in its unit."""
    if value is None:
        return ABSENT
    if rule.name in _UNITS:
        return f'{value:,.4g}\u00a0{_UNITS[rule.name]}'
    if rule.name in _TESTS:
        return f'p\u00a0=\u00a0{value:.3f}' if value >= 0.001 else 'p\u00a0<\u00a00.001'
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
    """'holds', 'fails' or 'does not apply'."""
    return 'does not apply' if rule.holds is None else 'holds' if rule.holds else 'fails'


def accuracy_rows(parts: dict[str, SplitResults]) -> list[tuple[str, str, Interval]]:
    """Whose accuracy on which split: the model's and, where there is one, the baseline's."""
    rows = []
    for name, part in parts.items():
        rows.append((split_title(name), 'model', part.accuracy))
        if part.baseline is not None:
            rows.append((split_title(name), 'baseline', part.baseline))
    return rows
