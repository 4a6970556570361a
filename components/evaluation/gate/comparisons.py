"""The rules that compare: with the baseline on images that neither has seen, and test with val."""

from __future__ import annotations

import dataclasses

from thawline.components.evaluation.gate.counts import (
    ChangedFiles,
    ClassChange,
    Counts,
    NoRecord,
    PairedCount,
)
from thawline.components.evaluation.gate.params import Baseline, Gate
from thawline.components.evaluation.gate.record import RuleResult
from thawline.components.evaluation.gate.rule_result import (
    at_least,
    at_most,
    image_count,
    quote,
    without_effect,
)
from thawline.components.shared import percentages
from thawline.components.statistics import paired, paired_outcome, proportions
from thawline.components.statistics.paired_outcome import (
    FEWEST_PAIRS,
    LEVEL,
    PairedOutcome,
    PairedTest,
    p_text,
)

_MODEL = 'the new model'
BASELINES: dict[Baseline, str] = {
    'latest_blessed': 'the latest blessed model',
    'production': 'the model in production',
}
_MISSING: dict[Baseline, str] = {
    'latest_blessed': 'There is no blessed model to compare with yet.',
    'production': 'There is no model in production to compare with (gate.baseline: production). '
    'Promote one, or compare with the latest blessed one.',
}
# Somebody who trains until a test passes has made it meaningless.
_NO_REMEDY = 'Do not train again with another seed until it passes.'


def paired_counts(counts: Counts, gate: Gate) -> PairedTest | None:
    """The candidate beside its baseline; None where there is nothing to compare."""
    pairs = counts.baseline
    if not isinstance(pairs, PairedCount):
        return None
    return paired.compare(pairs.won, pairs.lost, pairs.n, gate.paired_test or LEVEL)


def max_drop(counts: Counts, gate: Gate, limit: float) -> RuleResult:
    """The measured difference to the baseline."""
    name, title, pairs = 'max_drop', 'Drop against the baseline', counts.baseline
    if not isinstance(pairs, PairedCount) or pairs.n < FEWEST_PAIRS:
        return _not_compared(name, title, limit, counts, gate)
    value = (pairs.lost - pairs.won) / pairs.n
    points, allowed = percentages.apart(abs(value), limit, form=_points)
    moved = (
        f'is {points} {"below" if value > 0 else "above"} that of' if value else 'equals that of'
    )
    sentence = (
        f'Accuracy on {paired_outcome.unseen_images(pairs.n, bool(pairs.classes))} {moved} '
        f'{BASELINES[gate.baseline]}; a drop of up to {allowed} is allowed.'
    )
    return at_most(name, title, value, limit, sentence)


def paired_test(counts: Counts, gate: Gate, decides: bool) -> RuleResult:
    """McNemar's exact test against the baseline on the same images."""
    name, title, pairs = 'paired_test', 'Paired test against the baseline', counts.baseline
    test = paired_counts(counts, gate)
    if test is None or test.outcome is PairedOutcome.TOO_FEW:
        return _not_compared(name, title, gate.paired_test or LEVEL, counts, gate)
    assert isinstance(pairs, PairedCount)
    sentence = paired_outcome.describe(
        test, _MODEL, BASELINES[gate.baseline], bool(pairs.classes)
    ) + _class_remark(pairs.classes)
    worse, change, margin = test.outcome is PairedOutcome.WORSE, '', None
    if worse:
        differ = test.won + test.lost
        allowed = paired.losses_allowed(differ, test.level)
        change = (
            f'It would pass with at most {allowed:,} of these {differ:,} correct by '
            f'{BASELINES[gate.baseline]} alone. {_by_chance(test.level / 2)} Look at the images '
            f'that it lost, or add test images to tell a small loss from chance. {_NO_REMEDY}'
        )
    if test.outcome is not PairedOutcome.BETTER:
        margin = test.p_value - test.level
    result = RuleResult(
        name, title, not worse, test.p_value, test.level, margin, sentence, change, pairs.caution
    )
    if decides and gate.paired_test is not None:
        return result
    why = 'gate.paired_test: null' if gate.paired_test is None else 'strictness: point'
    cautions = [sentence] * worse + [pairs.caution] * bool(pairs.caution)
    return dataclasses.replace(without_effect(result, why), caution=' '.join(cautions))


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
        f'({percentages.percent(val.share)} of {image_count(val.n)}): {p_text(p, level)}.'
    )
    change = ''
    if p < level:
        needed = proportions.hits_not_lower(test.n, val.hits, val.n, level)
        change = (
            f'{needed:,} test images correct instead of {test.hits:,} would be consistent with '
            f'val. {_by_chance(level)} Add val and test images to tell, and look for a cause: '
            'near-duplicates across train and val, images from other sources in test, or many '
            f'models compared on the same val images. {_NO_REMEDY}'
        )
    result = at_least(name, title, p, level, sentence, change)
    return result if decides else without_effect(result)


def _by_chance(share: float) -> str:
    return f'It may be chance: up to {percentages.percent(share)} of good models are refused so.'


def _not_compared(name: str, title: str, bound: float, counts: Counts, gate: Gate) -> RuleResult:
    """A rule that decides nothing; a caution where a baseline should protect what is served."""
    sentence = _why_not_compared(counts, gate)
    first = counts.baseline is None and gate.baseline == 'latest_blessed'
    caution = '' if first else sentence
    return RuleResult(name, title, None, None, bound, None, sentence, caution=caution)


def _why_not_compared(counts: Counts, gate: Gate) -> str:
    pairs, baseline = counts.baseline, BASELINES[gate.baseline]
    if pairs is None:
        return _MISSING[gate.baseline]
    if isinstance(pairs, NoRecord):
        reason = f'There is no record of the images that {baseline} has seen.'
    elif isinstance(pairs, ChangedFiles):
        reason = (
            f'The files of {baseline} are no longer those that were judged ({pairs.changes}), so '
            f'{_MODEL} is not compared with it. Put them back, and run again, to compare.'
        )
    elif not counts.test.n:
        return (
            f'There are no labelled test images to compare {_MODEL} with {baseline} on; '
            'val images do not count, because they were used to choose the model. Keep a test '
            'split.'
        )
    else:
        test = paired.compare(pairs.won, pairs.lost, pairs.n)
        reason = paired_outcome.describe(test, _MODEL, baseline, bool(pairs.classes))
        reason += _class_remark(pairs.classes)
    if gate.baseline == 'production':
        return reason
    return f'{reason} The comparison starts anew with this model.'


def _class_remark(change: ClassChange) -> str:
    """Which classes are left out."""
    if not change:
        return ''
    names = {'added': change.added, 'removed': change.removed}
    listed = '; '.join(f'{kind} {quote(some)}' for kind, some in names.items() if some)
    return f' Images of other classes ({listed}) are left out; an answer of one is wrong.'


def _points(difference: float, decimals: int) -> str:
    return f'{100 * difference:.{decimals}f} points'
