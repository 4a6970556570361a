"""What an audit found, in words, each with a next step; fatal where the policy says so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from thawline.components.data_audit.params import AuditPolicy
from thawline.components.data_audit.record import (
    AuditRecord,
    BaseCheck,
    FactAccuracy,
    Forecast,
    Imbalance,
    NewImageCheck,
    Overlap,
    SamePair,
)
from thawline.components.shared import percentages
from thawline.components.shared.finding import Finding
from thawline.components.shared.settings import Action
from thawline.components.shared.splits import TEST
from thawline.components.shared.text import abbreviate

_LISTED = 3
_REVIEW = 'look at them with: thawline review last'


def find(
    record: AuditRecord,
    suspects: Sequence[tuple[str, str, str]],
    outliers: Sequence[str],
    policy: AuditPolicy,
) -> tuple[Finding, ...]:
    """All findings that the policy does not ignore, fatal ones first.

    Args:
        record: with all but the findings.
        suspects: path, label and suggested class, the most suspicious first.
        outliers: paths, the farthest first.
        policy: of the project.
    """
    learned = sum(n for split, n in record.images.items() if split != TEST)
    findings = [
        *_of(policy.suspect_labels, _suspect_labels(record, suspects),
             _exceeds(record.suspects, learned, policy.max_suspect_labels)),
        *_of(policy.duplicates, _duplicates(record.pairs, record.pair_count)),
        *_of(policy.outliers, _outliers(record, outliers),
             _exceeds(record.outliers, learned, policy.max_outliers)),
        *_of(policy.class_overlap, _overlaps(record.overlaps)),
        *_of(policy.imbalance, _imbalance(record.imbalance)),
        *_of(policy.spurious_facts, _spurious(record.facts)),
        *_of(policy.weak_base, _weak_base(record.base)),
        *_of(policy.new_images, _new_images(record.new)),
    ]  # fmt: skip
    return tuple(sorted(findings, key=lambda finding: not finding.fatal))


def _of(action: Action, messages: Iterable[str], exceeds: bool = True) -> Iterator[Finding]:
    if action != 'ignore':
        for message in messages:
            yield Finding(action == 'stop' and exceeds, message)


def _exceeds(counts: Mapping[str, int], learned: int, most: float) -> bool:
    """Test images do not count: what stops a run must not depend on their labels."""
    return sum(n for split, n in counts.items() if split != TEST) > most * learned


def _suspect_labels(record: AuditRecord, suspects: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    if suspects:
        all_images = sum(record.images.values())
        path, label, other = suspects[0]
        yield (
            f'{len(suspects):,} of {all_images:,} labels are suspect '
            f'({percentages.percent(len(suspects) / all_images)}), first {path} ({label}, rather '
            f'{other}?); {_REVIEW}'
        )


def _duplicates(pairs: Sequence[SamePair], count: int) -> Iterator[str]:
    if pairs:
        first = pairs[0]
        noun = 'pair looks' if count == 1 else 'pairs look'
        in_folds = all(image.split.startswith('fold ') for image in (first.a, first.b))
        kind = 'folds' if in_folds else 'splits'
        yield (
            f'{count:,} {noun} the same in different {kind}, such as {first.a.path} in '
            f'{first.a.split} and {first.b.path} in {first.b.split}; give the images of a pair one '
            'group (data.columns.group or data.group_pattern)'
        )


def _outliers(record: AuditRecord, paths: Sequence[str]) -> Iterator[str]:
    if paths:
        noun = 'image is' if len(paths) == 1 else 'images are'
        yield (
            f'{len(paths):,} {noun} unlike those of any class: {abbreviate(paths, _LISTED)}; '
            'remove those that do not belong'
        )


def _overlaps(overlaps: Sequence[Overlap]) -> Iterator[str]:
    for pair in overlaps[:_LISTED]:
        yield (
            f'the labels of {pair.a!r} and {pair.b!r} are confused: '
            f'{pair.a_as_b + pair.b_as_a:,} images ({percentages.percent(pair.share)}) have one '
            'label and look like the other; agree on what tells them apart, or merge them'
        )


def _imbalance(imbalance: Imbalance | None) -> Iterator[str]:
    if imbalance:
        recall = imbalance.recall
        yield (
            f'{imbalance.smallest!r} has {imbalance.images:,} images beside '
            f'{imbalance.largest_images:,} of {imbalance.largest!r}, and only '
            f'{percentages.percent(recall.share)} of them are recognised '
            f'({percentages.between(recall.lower, recall.upper)}); add images of it, or set '
            'training.class_weights: balanced'
        )


def _spurious(facts: Sequence[FactAccuracy]) -> Iterator[str]:
    for fact in facts:
        if fact.is_spurious:
            yield (
                f'{fact.name} alone predicts the class of {percentages.percent(fact.accuracy)} of '
                f'the images (the majority: {percentages.percent(fact.majority)}), so a model may '
                'learn it in place of what the images show; collect all classes alike'
            )


def _new_images(new: NewImageCheck | None) -> Iterator[str]:
    if new is not None and new.differ:
        yield (
            f'the {new.images:,} new images differ from those of model {new.model}, the last '
            f'blessed one: AUROC {new.auroc:.2f} ({new.lower:.2f} to {new.upper:.2f}); if that is '
            'not meant, look where they come from'
        )


def _weak_base(base: BaseCheck | None) -> Iterator[str]:
    if base is None:
        return
    if base.better:
        names = ' and '.join(
            f'{rival.name} ({percentages.percent(rival.accuracy)})' for rival in base.better
        )
        yield (
            f'negative transfer: {names} answer better than the pretrained base '
            f'({percentages.percent(base.accuracy)}); try another one: thawline bases'
        )
    elif base.not_worse:
        names = ' and '.join(rival.name for rival in base.not_worse)
        yield (
            f'the pretrained base ({percentages.percent(base.accuracy)}) is not shown to be better '
            f'than {names}; try another one: thawline bases'
        )


def forecast_line(forecasts: Sequence[Forecast]) -> str:
    """Whether more images would help, in one line; '' where that was not measured."""
    if not forecasts:
        return ''
    whole = forecasts[0]
    line = f'{whole.more:,} more images: {_accuracy(whole)} in place of about '
    line += percentages.percent(whole.now, 0)
    single = [of for of in forecasts[1:] if of.label and of.gain_lower > 0]
    if single:
        best = max(single, key=lambda of: (of.accuracy - of.now) / of.more)
        line += f'; {best.more:,} more of {best.label!r} alone: {_accuracy(best)}'
    return line


def _accuracy(of: Forecast) -> str:
    return f'{100 * of.lower:.0f} to {percentages.percent(of.upper, 0)}'
