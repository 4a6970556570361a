"""The gate's decision from counts alone: every rule with its number, and what would change it.

A rule that is set and cannot be measured fails; one that does not apply decides nothing. Needs
neither TensorFlow nor TFX.
"""

from __future__ import annotations

from thawline.components.evaluation.gate import comparisons, floors, limits, repeated_looks
from thawline.components.evaluation.gate.counts import Counts
from thawline.components.evaluation.gate.params import Gate
from thawline.components.evaluation.gate.record import RuleResult, Verdict
from thawline.components.evaluation.gate.val_accuracy import val_accuracy


def judge(counts: Counts, gate: Gate, smallest_slice: int = 1) -> Verdict:
    """Applies every rule that is set; blessed where none fails.

    Args:
        counts: of one candidate.
        gate: the rules.
        smallest_slice: slices with fewer images are not judged.
    """
    tests_decide = gate.strictness == 'bound'
    results = [val_accuracy(counts, gate)]
    if (looks := repeated_looks.looks(counts, gate)) is not None:
        results.append(looks)
    if (tuned := repeated_looks.tuned(counts, gate)) is not None:
        results.append(tuned)
    if counts.not_finite:
        results.insert(0, limits.finite_probabilities(counts))  # the cause comes before its effects
    class_floor = min(gate.class_floor or 0.0, gate.val_accuracy)
    if class_floor:
        results.append(floors.class_floor(counts, class_floor, tests_decide))
    if gate.worst_class_recall is not None:
        results.append(floors.worst_class_recall(counts, gate.worst_class_recall))
    if gate.max_calibration_error is not None:
        results.append(limits.calibration_error(counts, gate.max_calibration_error))
    for position, floor in enumerate(gate.slices):
        results.append(floors.slice_accuracy(counts, floor, position, smallest_slice))
    results.append(comparisons.paired_test(counts, gate, tests_decide))
    if gate.max_drop is not None:
        results.append(comparisons.max_drop(counts, gate, gate.max_drop))
    if gate.test_contradiction is not None:
        results.append(comparisons.test_contradiction(counts, gate))
    if gate.max_latency_ms is not None:
        results.append(limits.latency(counts, gate.max_latency_ms))
    if gate.max_size_mb is not None:
        results.append(limits.size(counts, gate.max_size_mb))
    return Verdict(
        all(result.holds is not False for result in results),
        _headline(results),
        tuple(results),
        comparisons.paired_counts(counts, gate),
    )


def _headline(results: list[RuleResult]) -> str:
    """The decision with its reason: the first rule that fails, and the names of the others."""
    failed = [result for result in results if result.holds is False]
    if not failed:
        return f'Blessed: {_lower_first(results[0].sentence)}'
    headline = f'Not blessed: {_lower_first(failed[0].sentence)}'
    if len(failed) > 1:
        headline += f' Also failed: {", ".join(_lower_first(rule.title) for rule in failed[1:])}.'
    return headline


def _lower_first(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]
