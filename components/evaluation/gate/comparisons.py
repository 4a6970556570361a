"""The rules that compare: with the baseline on images that neither has seen, and test with val."""

from __future__ import annotations

import dataclasses
import math

from thawline.components.evaluation.gate.class_change import ClassChange
from thawline.components.evaluation.gate.counts import (
    ChangedFiles,
    Counts,
    NoRecord,
    PairedCount,
)
from thawline.components.evaluation.gate.params import Baseline, Gate
from thawline.components.evaluation.gate.record import LabelQueue, RuleResult
from thawline.components.evaluation.gate.rule_result import (
    at_least,
    at_most,
    image_count,
    images_of,
    judging_images,
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
    level = gate.paired_test or LEVEL
    return paired.compare(pairs.won, pairs.lost, pairs.n, level, pairs.clusters)


def max_drop(counts: Counts, gate: Gate, limit: float) -> RuleResult:
    """The measured difference to the baseline."""
    name, title, pairs = 'max_drop', 'Drop against the baseline', counts.baseline
    if not isinstance(pairs, PairedCount) or pairs.n < FEWEST_PAIRS:
        return _not_compared(name, title, limit, counts, gate)
    value, groups = (pairs.lost - pairs.won) / pairs.n, pairs.groups
    points, allowed = percentages.apart(abs(value), limit, form=_points)
    moved = (
        f'is {points} {"below" if value > 0 else "above"} that of' if value else 'equals that of'
    )
    sentence = (
        f'Accuracy on {paired_outcome.unseen_images(pairs.n, bool(pairs.classes), groups)} {moved} '
        f'{BASELINES[gate.baseline]}; a drop of up to {allowed} is allowed.'
    )
    change, queue = '', None
    if value > limit:
        more = _images_to_show_drop(pairs, limit)
        change = f'It would pass with {_fewer_losses(pairs, limit):,} fewer lost images.'
        if more:
            change += (
                f' At this drop, about {image_count(more, "more test")} would show that it is '
                'no chance.'
            )
            queue = LabelQueue('unlabelled', more)
    result = at_most(name, title, value, limit, sentence, change)
    return dataclasses.replace(result, queue=queue)


def _fewer_losses(pairs: PairedCount, limit: float) -> int:
    return max(1, math.ceil(pairs.lost - pairs.won - limit * pairs.n - 1e-9))


def _images_to_show_drop(pairs: PairedCount, limit: float) -> int:
    """How many more show a drop above the limit, by a normal approximation; 0 where these do."""
    test = paired.compare(pairs.won, pairs.lost, pairs.n, clusters=pairs.clusters)
    assert test.difference is not None and test.difference.lower is not None
    drop, half = -test.difference.value, test.difference.value - test.difference.lower
    return max(0, math.ceil(pairs.n * ((half / (drop - limit)) ** 2 - 1)))


def paired_test(counts: Counts, gate: Gate, decides: bool) -> RuleResult:
    """The exact test against the baseline on the same images, see `paired.compare`."""
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
        passing = ''
        if test.groups is None:
            passing = (
                f'It would pass with at most {allowed:,} of these {differ:,} correct by '
                f'{BASELINES[gate.baseline]} alone. '
            )
        change = (
            f'{passing}{_by_chance(test.level / 2)} Look at the images '
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


def test_contradiction(counts: Counts, gate: Gate) -> RuleResult:
    """Fisher's exact test of test accuracy against val accuracy, on effective numbers of images.

    It is a caution unless it may refuse: at 5 % it would refuse 1 of 20 good models.
    """
    name, title = 'test_contradiction', 'Test against val'
    val, test = counts.val, counts.test
    if not val.n or not test.n:
        which = 'test images' if val.n else judging_images(val)
        sentence = f'There are no {which} to compare.'
        return RuleResult(name, title, None, None, LEVEL, None, sentence)
    on_test, on_val = test.effective, val.effective
    p = proportions.fisher_p_value(*on_test, *on_val)
    sentence = (
        f'Test accuracy ({percentages.percent(test.share)} of {images_of(test)}) is '
        f'{"" if p < LEVEL else "not "}significantly lower than val accuracy '
        f'({percentages.percent(val.share)} of {images_of(val)}): {p_text(p, LEVEL)}.'
    )
    refuses = gate.strictness == 'bound' and gate.test_contradiction == 'refuse'
    change, remedy = '', ''
    if p < LEVEL:
        # In folds, what is not test is train and val in turn.
        add, across, on = 'val and test', 'train and val', 'val images'
        if not val.kind:
            add, across, on = 'more', 'folds', 'images'
        remedy = (
            f'{_by_chance(LEVEL, "refused" if refuses else "marked")} Add {add} images to '
            f'tell, and look for a cause: near-duplicates across {across}, images from other '
            f'sources in test, or many models compared on the same {on}. {_NO_REMEDY}'
        )
        change = remedy
        if not test.clusters and not val.clusters:
            needed = proportions.hits_not_lower(test.n, val.hits, val.n, LEVEL)
            change = (
                f'{needed:,} test images correct instead of {test.hits:,} would be consistent with '
                f'val. {remedy}'
            )
    result = at_least(name, title, p, LEVEL, sentence, change)
    if refuses:
        queue = None if result.holds else LabelQueue('unlabelled')
        return dataclasses.replace(result, queue=queue)
    if result.holds:
        return result if gate.strictness == 'bound' else without_effect(result)
    why = 'strictness: point' if gate.strictness == 'point' else 'gate.test_contradiction: caution'
    return dataclasses.replace(without_effect(result, why), caution=f'{sentence} {remedy}')


def _by_chance(share: float, what: str = 'refused') -> str:
    return f'It may be chance: up to {percentages.percent(share)} of good models are {what} so.'


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
    else:
        test = paired.compare(pairs.won, pairs.lost, pairs.n, clusters=pairs.clusters)
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
