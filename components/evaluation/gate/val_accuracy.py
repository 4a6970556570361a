"""The rule on validation accuracy, the one number that the gate stands on."""

from __future__ import annotations

import dataclasses

from thawline.components.evaluation.gate import repeated_looks
from thawline.components.evaluation.gate.counts import Counts, HitCount
from thawline.components.evaluation.gate.params import Gate
from thawline.components.evaluation.gate.record import LabelQueue, RuleResult
from thawline.components.evaluation.gate.rule_result import (
    at_least,
    compare,
    fail_unmeasured,
    image_count,
    images_of,
    judging_images,
    more_images,
)
from thawline.components.shared import percentages
from thawline.components.shared.splits import TEST, VAL
from thawline.components.statistics import clustered_bound, proportions
from thawline.components.statistics.clustered_bound import ALPHA


def val_accuracy(counts: Counts, gate: Gate) -> RuleResult:
    """The lower bound of val accuracy, or the measured accuracy itself, against the threshold."""
    name, title, threshold = 'val_accuracy', 'Validation accuracy', gate.val_accuracy
    val, by_bound = counts.val, gate.strictness == 'bound'
    if not val.n:
        sentence = f'Val accuracy cannot be measured without {judging_images(val)}.'
        return fail_unmeasured(name, title, threshold, sentence)
    alpha = repeated_looks.alpha(gate, counts.looks)
    value = val.lower_bound(alpha) if by_bound else val.share
    what = 'The lower bound of val accuracy' if by_bound else 'Val accuracy'
    sentence = compare(what, value, threshold, 'threshold of', val)
    if by_bound and alpha == ALPHA and value < threshold <= val.interval.lower:
        sentence += ' The interval is approximate; the exact bound is lower.'
    sentence += _one_class_remark(counts, threshold)
    change = _change(val, threshold, by_bound, alpha)
    result = at_least(name, title, value, threshold, sentence, change)
    more = None if result.holds or not by_bound else _more_images(val, threshold, alpha)
    # How many images a group has is not known of those to come.
    count = more if val.unit == 'image' else None
    queue = LabelQueue('unlabelled', count) if more else None
    return dataclasses.replace(result, caution=_correction_caution(counts), queue=queue)


def _correction_caution(counts: Counts) -> str:
    """Which of the labels that the model is judged by are not those of the source."""
    parts = [
        f'{counts.corrected[split]:,} of {image_count(of.n, kind)}'
        if of.unit == 'image'
        else image_count(counts.corrected[split], kind)
        for split, kind, of in ((VAL, counts.val.kind, counts.val), (TEST, TEST, counts.test))
        if counts.corrected.get(split)
    ]
    if not parts:
        return ''
    return (
        f'The labels of {" and ".join(parts)} were corrected after the source gave them. Where '
        'these images were chosen by what a model answered, its accuracy is too high by that alone.'
    )


def _change(val: HitCount, threshold: float, by_bound: bool, alpha: float) -> str:
    """What would turn the decision: more mistakes, or the hits and images that are missing."""
    if by_bound and val.clusters:
        return _change_of_clusters(val, threshold, alpha)
    hits, n, confidence = val.hits, val.n, 1 - 2 * alpha
    if by_bound:
        needed = proportions.hits_needed(n, threshold, confidence)
    else:
        needed = proportions.hits_for_share(n, threshold)
    if needed is not None and hits >= needed:
        mistakes = hits - needed + 1
        plural = '' if mistakes == 1 else 's'
        return f'It would fail with {mistakes:,} more mistake{plural}.' if needed else ''
    if needed is not None:
        parts = [f'It would pass with {needed:,} correct instead of {hits:,}']
    else:
        parts = [f'Not even {n:,} of {images_of(val)} correct would pass']
        least = proportions.images_needed(1.0, threshold, confidence)
        if least is not None:
            parts.append(f'at least {image_count(least, val.kind, val.unit)} are required')
    if by_bound and hits < n:
        parts.append(_describe_more(val, threshold, alpha))
    return '; '.join(parts) + '.'


def _change_of_clusters(val: HitCount, threshold: float, alpha: float) -> str:
    """The same where mistakes count by the group that they are in."""
    if val.lower_bound(alpha) >= threshold:
        return ''
    parts = []
    best = tuple((size, size, number) for _, size, number in val.clusters)
    if clustered_bound.lower_bound(val.n, val.n, best, alpha) < threshold:
        parts.append(f'not even all of {images_of(val)} correct would pass')
        least = clustered_bound.clusters_needed(val.n, val.n, best, threshold, alpha)
        if least is not None:
            parts.append(f'at least {image_count(least, val.kind)} in such groups are required')
    if val.hits < val.n:
        parts.append(_describe_more(val, threshold, alpha))
    text = '; '.join(parts)
    return f'{text[:1].upper()}{text[1:]}.'


def _more_images(val: HitCount, threshold: float, alpha: float) -> int | None:
    """How many more val images would decide at this accuracy; None where no number would."""
    total = clustered_bound.clusters_needed(val.hits, val.n, val.clusters, threshold, alpha)
    return None if total is None else max(total - val.n, 1)  # rounding can put it at n itself


def _describe_more(val: HitCount, threshold: float, alpha: float) -> str:
    more = _more_images(val, threshold, alpha)
    if more is None:
        return f'more {val.unit}s at this accuracy would not help'
    alike = ' in such groups' if val.clusters else ''
    images = more_images(more, val)
    return f'at this accuracy, it needs about {images}{alike} ({val.n + more:,} in total)'


def _one_class_remark(counts: Counts, threshold: float) -> str:
    """A remark where accuracy alone would deceive: one class makes up the threshold."""
    classes = {name: count for name, count in counts.classes.items() if count.n}
    correct = [name for name, count in classes.items() if count.hits]
    if len(classes) < 2:
        return ''
    if len(correct) == 1:
        return f' Only images of {correct[0]!r} are classified correctly.'
    common = max(classes, key=lambda name: classes[name].n)
    share = classes[common].n / sum(count.n for count in classes.values())
    if share < threshold:
        return ''
    return f' Always answering {common!r} would be correct for {percentages.percent(share)}.'
