"""The rule on validation accuracy, the one number that the gate stands on."""

from __future__ import annotations

import dataclasses

from thawline.components.evaluation.gate.counts import Counts, HitCount
from thawline.components.evaluation.gate.params import Gate
from thawline.components.evaluation.gate.record import RuleResult
from thawline.components.evaluation.gate.rule_result import (
    at_least,
    compare,
    fail_unmeasured,
    image_count,
)
from thawline.components.shared import percentages
from thawline.components.shared.splits import TEST, VAL
from thawline.components.statistics import proportions


def val_accuracy(counts: Counts, gate: Gate) -> RuleResult:
    """The lower bound of val accuracy, or the measured accuracy itself, against the threshold."""
    name, title, threshold = 'val_accuracy', 'Validation accuracy', gate.val_accuracy
    val, by_bound = counts.val, gate.strictness == 'bound'
    if not val.n:
        sentence = 'Val accuracy cannot be measured without val images.'
        return fail_unmeasured(name, title, threshold, sentence)
    value = proportions.lower_bound(val.hits, val.n) if by_bound else val.share
    what = 'The lower bound of val accuracy' if by_bound else 'Val accuracy'
    sentence = compare(what, value, threshold, 'threshold of', val)
    if by_bound and value < threshold <= proportions.wilson(val.hits, val.n).lower:
        sentence += ' The interval is approximate; the exact bound is lower.'
    sentence += _one_class_remark(counts, threshold)
    change = _change(val, threshold, by_bound)
    result = at_least(name, title, value, threshold, sentence, change)
    return dataclasses.replace(result, caution=_correction_caution(counts))


def _correction_caution(counts: Counts) -> str:
    """Which of the labels that the model is judged by are not those of the source."""
    of = {VAL: counts.val.n, TEST: counts.test.n}
    parts = [
        f'{counts.corrected[split]:,} of {image_count(n, split)}'
        for split, n in of.items()
        if counts.corrected.get(split)
    ]
    if not parts:
        return ''
    return (
        f'The labels of {" and ".join(parts)} were corrected after the source gave them. Where '
        'these images were chosen by what a model answered, its accuracy is too high by that alone.'
    )


def _change(val: HitCount, threshold: float, by_bound: bool) -> str:
    """What would turn the decision: more mistakes, or the hits and images that are missing."""
    hits, n = val.hits, val.n
    hits_needed = proportions.hits_needed if by_bound else proportions.hits_for_share
    needed = hits_needed(n, threshold)
    if needed is not None and hits >= needed:
        mistakes = hits - needed + 1
        plural = '' if mistakes == 1 else 's'
        return f'It would fail with {mistakes:,} more mistake{plural}.' if needed else ''
    if needed is not None:
        parts = [f'It would pass with {needed:,} correct instead of {hits:,}']
    else:
        parts = [f'Not even {n:,} of {image_count(n)} correct would pass']
        least = proportions.images_needed(1.0, threshold)
        if least is not None:
            parts.append(f'at least {image_count(least, "val")} are required')
    if by_bound and hits < n:
        parts.append(_more_images(val, threshold))
    return '; '.join(parts) + '.'


def _more_images(val: HitCount, threshold: float) -> str:
    total = proportions.images_needed(val.share, threshold)
    if total is None:
        return 'more images at this accuracy would not help'
    more = max(total - val.n, 1)  # rounding of hits can put it at n itself
    images = image_count(more, 'more val')
    return f'at this accuracy, it needs about {images} ({val.n + more:,} in total)'


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
