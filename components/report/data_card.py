"""The data card: how many images, what was quarantined, whether the splits are alike."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence

from tensorflow_metadata.proto.v0 import statistics_pb2

from thawline.components.ingestion.summary import IngestionSummary
from thawline.components.report import formatting
from thawline.components.report.content import Fact, FactCard
from thawline.components.shared.splits import TRAIN, VAL
from thawline.components.shared.text import abbreviate

_FACTS = ('brightness', 'contrast', 'sharpness', 'width', 'height')
# In standard errors: a mean further off is unlikely to be chance, even among a dozen of them.
_BEYOND_CHANCE = 3.0
_LISTED = 30

Means = dict[str, dict[str, tuple[float, float, int]]]


@dataclasses.dataclass(frozen=True)
class DataCardInputs:
    """What the data card is made of.

    Attributes:
        summary: of the ingestion.
        findings: of the data gate, other than those.
        differences: of the images from the schema, a line each.
        means: split -> fact -> (mean, standard deviation, images).
        groups: split or fold -> groups of images that belong together, with near-duplicates; empty
            where the examples were deleted.
        suspects: labels that answers out of fold contradict, among `compared` images.
        compared: images with such an answer.
        not_sliced: columns with too many values to slice on.
        deleted: pictures that cannot be shown, as their examples were deleted.
        buckets: their limits.
    """

    summary: IngestionSummary
    findings: Sequence[str]
    differences: Sequence[str]
    means: Means
    groups: Mapping[str, set[bytes]]
    suspects: int
    compared: int
    not_sliced: Sequence[str]
    deleted: int
    buckets: Fact


def feature_means(
    statistics: statistics_pb2.DatasetFeatureStatisticsList,
) -> dict[str, tuple[float, float, int]]:
    """Mean, standard deviation and count of the facts of the images of one split."""
    means = {}
    for feature in statistics.datasets[0].features if statistics.datasets else ():
        name = feature.name or '/'.join(feature.path.step)
        if name in _FACTS and feature.HasField('num_stats'):
            numbers = feature.num_stats
            images = int(numbers.common_stats.num_non_missing)
            means[name] = (numbers.mean, numbers.std_dev, images)
    return means


def card(inputs: DataCardInputs) -> FactCard:
    """The data card."""
    summary = inputs.summary
    images = summary.splits
    lines = [
        Fact('Images', f'{summary.written:,} in {summary.classes:,} classes'),
        Fact('Splits', summary.sizes),
        _class_fact(images),
        _quarantine_fact(summary),
        _group_fact(inputs.groups, summary.written, summary.folds),
        _difference_fact(inputs.differences),
        drift_fact(inputs.means, summary.folds),
        inputs.buckets,
        Fact(
            'Suspicious labels',
            f'{inputs.suspects:,} of {inputs.compared:,}' if inputs.compared else 'not checked',
            'contradicted out of fold; the most suspicious are among the pictures'
            if inputs.suspects else '',
        ),
    ]  # fmt: skip
    remarks = [
        *summary.notes,
        *summary.samples,
        *summary.near_duplicates,
        *summary.labels,
        *inputs.findings,
    ]
    if inputs.not_sliced:
        remarks.append(f'columns with too many values to slice on: {", ".join(inputs.not_sliced)}')
    if inputs.deleted:
        remarks.append(f'{inputs.deleted:,} pictures are not shown: their examples were deleted')
    if remarks:
        lines.append(Fact('Remarks', f'{len(remarks)}', '; '.join(remarks)))
    return FactCard('data', 'The data', tuple(lines))


def _class_fact(images: Mapping[str, Mapping[str, int]]) -> Fact:
    total: dict[str, int] = {}
    for counts in images.values():
        for name, count in counts.items():
            total[name or '(no label)'] = total.get(name or '(no label)', 0) + count
    order = sorted(total, key=lambda name: -total[name])
    if not order:
        return Fact('Images per class', 'none')
    listed = abbreviate((f'{name} {total[name]:,}' for name in order), _LISTED)
    return Fact('Images per class', f'{total[order[-1]]:,} to {total[order[0]]:,}', listed)


def _quarantine_fact(summary: IngestionSummary) -> Fact:
    if not summary.quarantined:
        return Fact('Quarantined', 'none')
    share = summary.quarantined / summary.total
    reasons = ', '.join(f'{reason} {count:,}' for reason, count in summary.reasons.items())
    files = f'{summary.quarantined:,} files ({formatting.percent(share)})'
    return Fact('Quarantined', files, reasons)


def _group_fact(groups: Mapping[str, set[bytes]], images: int, folds: int) -> Fact:
    """Checks that no group is in two splits or folds, by counting the examples."""
    names = list(groups)
    if not any(groups.values()):
        return Fact('Groups', 'not counted', 'the examples were deleted')
    several = set()
    for first, second in itertools.combinations(names, 2):
        several |= groups[first] & groups[second]
    count = len(set().union(*groups.values()))
    kind = 'fold' if folds else 'split'
    if several:
        return Fact('Groups', f'{len(several):,} of {count:,} are in more than one {kind}')
    return Fact('Groups', f'{count:,} of {images:,} images, none in more than one {kind}')


def _difference_fact(lines: Sequence[str]) -> Fact:
    return Fact(
        'Differences from the schema', f'{len(lines):,}' if lines else 'none', '; '.join(lines)
    )


def drift_fact(means: Means, folds: int = 0) -> Fact:
    """Compares the other splits with train by the means of their facts.

    In folds, train is all but the first, and val is that one.
    """
    names = {VAL: 'fold 0'} if folds else {}
    significant, shifts = [], []
    reference = means.get(TRAIN, {})
    for split, facts in means.items():
        for fact, (mean, _, images) in facts.items():
            centre, deviation, trained = reference.get(fact, (mean, 0.0, 0))
            if split == TRAIN or not deviation or not images or not trained:
                continue
            shift = (mean - centre) / deviation
            text = f'{fact} of {names.get(split, split)} {shift:+.2f} standard deviations'
            shifts.append((abs(shift), text))
            if abs(shift) > _BEYOND_CHANCE * math.sqrt(1 / images + 1 / trained):
                significant.append((abs(shift), text))
    term = 'Drift between folds' if folds else 'Drift between splits'
    if not shifts:
        return Fact(term, 'not measured')
    listed = ', '.join(text for _, text in sorted(shifts, reverse=True))
    value = max(significant)[1] if significant else 'none beyond chance'
    reference_name = 'the other folds' if folds else TRAIN
    return Fact(term, value, f'means compared with {reference_name}: {listed}')
