"""The gate's decision from counts alone: every rule with its number, and what would change it.

Needs neither TensorFlow nor TFX. What TFMA can express as a threshold is expressed there too
(`eval_config`); the two must agree.
"""

from __future__ import annotations

import dataclasses
import json

from thawline.components.evaluation.gate import comparisons, rules
from thawline.components.evaluation.gate.counts import ClassChange as ClassChange
from thawline.components.evaluation.gate.counts import Counts as Counts
from thawline.components.evaluation.gate.counts import HitCount as HitCount
from thawline.components.evaluation.gate.counts import PairedCount as PairedCount
from thawline.components.evaluation.gate.counts import SliceCount as SliceCount
from thawline.components.evaluation.gate.params import Gate
from thawline.components.evaluation.gate.rules import RuleResult as RuleResult
from thawline.components.shared import percentages
from thawline.components.statistics.proportions import Interval as Interval

FILE = 'verdict.json'
FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The decision: blessed or not, one headline in words, and every rule."""

    blessed: bool
    headline: str
    rules: tuple[RuleResult, ...]


def judge(numbers: Counts, gate: Gate, smallest_slice: int = 1) -> Verdict:
    """Holds the numbers against every rule of the gate; blessed where none fails.

    Rules that the configuration leaves out are not in the verdict.

    Args:
        numbers: of one candidate.
        gate: the rules.
        smallest_slice: slices with fewer images are not judged.
    """
    by_chance = gate.strictness == 'bound'
    found = [rules.val_accuracy(numbers, gate)]
    if gate.worst_class_recall is not None:
        found.append(rules.worst_class_recall(numbers, gate.worst_class_recall))
    if gate.max_calibration_error is not None:
        found.append(
            rules.limit(
                'max_calibration_error',
                'Calibration error',
                'expected calibration error',
                numbers.calibration_error,
                gate.max_calibration_error,
                percentages.percent,
            )
        )
    found += [
        rules.slice_accuracy(numbers, floor, position, smallest_slice)
        for position, floor in enumerate(gate.slices)
    ]
    if gate.paired_test is not None:
        found.append(comparisons.paired_test(numbers, gate.paired_test, by_chance))
    if gate.max_drop is not None:
        found.append(comparisons.max_drop(numbers, gate.max_drop))
    if gate.test_contradiction is not None:
        found.append(comparisons.test_contradiction(numbers, gate.test_contradiction, by_chance))
    if gate.max_latency_ms is not None:
        found.append(
            rules.limit(
                'max_latency_ms',
                'Latency',
                'latency of one image at the 95th percentile',
                numbers.latency_ms,
                gate.max_latency_ms,
                rules.in_unit('ms'),
            )
        )
    if gate.max_size_mb is not None:
        found.append(
            rules.limit(
                'max_size_mb',
                'Size of the model',
                'size of the exported model',
                numbers.size_mb,
                gate.max_size_mb,
                rules.in_unit('MB'),
            )
        )
    if numbers.not_finite:
        found.insert(0, rules.finite(numbers))  # what it is the cause of comes after it
    blessed = all(rule.holds is not False for rule in found)
    return Verdict(blessed, _headline(blessed, found), tuple(found))


def _headline(blessed: bool, found: list[RuleResult]) -> str:
    """The decision with its reason: the first rule that fails, and the names of the others."""
    failed = [rule for rule in found if rule.holds is False]
    if blessed:
        return f'Blessed: {_continued(found[0].sentence)}'
    headline = f'Not blessed: {_continued(failed[0].sentence)}'
    if others := [rule.title[0].lower() + rule.title[1:] for rule in failed[1:]]:
        headline += f' Also fails: {", ".join(others)}.'
    return headline


def _continued(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]


def to_json(verdict: Verdict) -> str:
    """The text of `verdict.json`."""
    values = {'format': FORMAT, **dataclasses.asdict(verdict)}
    return json.dumps(values, ensure_ascii=False, allow_nan=False, indent=2) + '\n'


def from_json(text: str) -> Verdict:
    """The verdict of `to_json`.

    Raises:
        ValueError: it is no JSON, or of another format.
    """
    values = json.loads(text)
    if not isinstance(values, dict) or values.get('format') != FORMAT:
        raise ValueError(f'not a verdict of format {FORMAT}. Received: {text[:80]}')
    return Verdict(
        values['blessed'], values['headline'], tuple(RuleResult(**rule) for rule in values['rules'])
    )
