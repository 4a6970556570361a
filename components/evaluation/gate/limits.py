"""Limits on what is measured beside accuracy: calibration, latency, size, finite probabilities."""

from __future__ import annotations

import math

from thawline.components.evaluation.gate.counts import Counts
from thawline.components.evaluation.gate.record import RuleResult
from thawline.components.evaluation.gate.rule_result import (
    at_most,
    fail_unmeasured,
    image_count,
)
from thawline.components.shared import percentages
from thawline.components.shared.percentages import Format


def calibration_error(counts: Counts, limit: float) -> RuleResult:
    return _limit(
        'max_calibration_error', 'Calibration error', 'The expected calibration error',
        counts.calibration_error, limit, percentages.percent,
    )  # fmt: skip


def latency(counts: Counts, limit: float) -> RuleResult:
    return _limit(
        'max_latency_ms', 'Latency', 'The latency for one image (95th percentile)',
        counts.latency_ms, limit, _unit('ms'),
    )  # fmt: skip


def size(counts: Counts, limit: float) -> RuleResult:
    return _limit(
        'max_size_mb', 'Size of the model', 'The size of the exported model',
        counts.size_mb, limit, _unit('MB'),
    )  # fmt: skip


def finite_probabilities(counts: Counts) -> RuleResult:
    """No answer of a model that returns NaN can be trusted."""
    n = counts.not_finite
    return at_most(
        'finite_probabilities', 'Finite probabilities', float(n), 0.0,
        f'The model returns NaN or infinite probabilities for {image_count(n)} of val and test.',
        'Training probably diverged; train again with a lower learning rate.',
    )  # fmt: skip


def _unit(unit: str) -> Format:
    return lambda value, decimals: f'{value:.{decimals}f} {unit}'


def _limit(
    name: str, title: str, what: str, value: float | None, limit: float, form: Format
) -> RuleResult:
    if value is None or not math.isfinite(value):
        return fail_unmeasured(name, title, limit, f'{what} could not be measured.')
    first, second = percentages.apart(value, limit, form=form)
    outcome = 'within' if value <= limit else 'above'
    sentence = f'{what} is {first}, {outcome} the limit of {second}.'
    return at_most(name, title, value, limit, sentence)
