"""What is known of the images: how many, what was refused, whether the splits are alike."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from tensorflow_metadata.proto.v0 import statistics_pb2

from thawline.components.report import formatting
from thawline.components.report.content import Fact, FactCard

TRAIN = 'train'
_FACTS = ('brightness', 'contrast', 'sharpness', 'width', 'height')
# A mean that lies further off, in standard errors, is unlikely to be chance among a dozen of them.
_BEYOND_CHANCE = 3.0
_LISTED = 30

Means = dict[str, dict[str, tuple[float, float, int]]]


@dataclasses.dataclass(frozen=True)
class DataCardInputs:
    """What the nodes before training found.

    Attributes:
        summary: the ingestion's `summary.json`.
        findings: remarks of the data gate.
        anomalies: split -> one line an anomaly.
        means: split -> fact -> (mean, standard deviation, images).
        groups: split -> groups of images that are never split; empty where the examples are gone.
        suspects: labels that the neighbours contradict, among `compared` images.
        compared: images with a label and an embedding.
        not_sliced: columns with too many values to slice on.
        missing: pictures that should be shown and are no longer there.
        buckets: where those of the facts begin.
    """

    summary: Mapping[str, Any]
    findings: Sequence[str]
    anomalies: Mapping[str, Sequence[str]]
    means: Means
    groups: Mapping[str, set[bytes]]
    suspects: int
    compared: int
    not_sliced: Sequence[str]
    missing: int
    buckets: Fact


def feature_means(
    statistics: statistics_pb2.DatasetFeatureStatisticsList,
) -> dict[str, tuple[float, float, int]]:
    """Mean, standard deviation and count of the facts of the images of one split."""
    found = {}
    for feature in statistics.datasets[0].features if statistics.datasets else ():
        name = feature.name or '/'.join(feature.path.step)
        if name in _FACTS and feature.HasField('num_stats'):
            numbers = feature.num_stats
            images = int(numbers.common_stats.num_non_missing)
            found[name] = (numbers.mean, numbers.std_dev, images)
    return found


def card(facts: DataCardInputs) -> FactCard:
    """The data card."""
    images: Mapping[str, Mapping[str, int]] = facts.summary['splits']
    lines = [
        Fact('Images', f'{facts.summary["written"]:,} in {facts.summary["classes"]:,} classes'),
        Fact('Splits', ', '.join(f'{s} {sum(of.values()):,}' for s, of in images.items())),
        _class_fact(images),
        _quarantine_fact(facts.summary),
        _group_fact(facts.groups, facts.summary['written']),
        _anomaly_fact(facts.anomalies),
        drift_fact(facts.means),
        facts.buckets,
        Fact(
            'Suspicious labels',
            f'{facts.suspects:,} of {facts.compared:,}' if facts.compared else 'not looked for',
            'labels that the nearest neighbours of the image contradict; the most suspicious are '
            'shown' if facts.suspects else '',
        ),
    ]  # fmt: skip
    remarks = [*facts.summary['notes'], *facts.findings]
    if facts.not_sliced:
        remarks.append(f'too many values to slice on: {", ".join(facts.not_sliced)}')
    if facts.missing:
        remarks.append(f'{facts.missing:,} pictures are not shown: their examples are gone')
    if remarks:
        lines.append(Fact('Remarks', f'{len(remarks)}', '; '.join(remarks)))
    return FactCard('data', 'The data', tuple(lines))


def _class_fact(images: Mapping[str, Mapping[str, int]]) -> Fact:
    total: dict[str, int] = {}
    for of in images.values():
        for name, count in of.items():
            total[name or '(no label)'] = total.get(name or '(no label)', 0) + count
    order = sorted(total, key=lambda name: -total[name])
    if not order:
        return Fact('Images a class', 'none')
    listed = ', '.join(f'{name} {total[name]:,}' for name in order[:_LISTED])
    more = f' and {len(order) - _LISTED:,} more' if len(order) > _LISTED else ''
    return Fact('Images a class', f'{total[order[-1]]:,} to {total[order[0]]:,}', listed + more)


def _quarantine_fact(summary: Mapping[str, Any]) -> Fact:
    if not summary['quarantined']:
        return Fact('Quarantined', 'none')
    share = summary['quarantined'] / summary['total']
    reasons = ', '.join(f'{reason} {count:,}' for reason, count in summary['reasons'].items())
    files = f'{summary["quarantined"]:,} files ({formatting.percent(share)})'
    return Fact('Quarantined', files, reasons)


def _group_fact(groups: Mapping[str, set[bytes]], images: int) -> Fact:
    """Whether what must not be split is not, counted anew."""
    names = list(groups)
    if not any(groups.values()):
        return Fact('Groups', 'not counted', 'the examples are gone')
    several = set()
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            several |= groups[one] & groups[other]
    count = len(set().union(*groups.values()))
    if several:
        return Fact('Groups', f'{len(several):,} of {count:,} are in more than one split')
    return Fact('Groups', f'{count:,} of {images:,} images, none in more than one split')


def _anomaly_fact(anomalies: Mapping[str, Sequence[str]]) -> Fact:
    lines = [f'{split}: {line}' for split, of in anomalies.items() for line in of]
    return Fact(
        'Anomalies against the schema', f'{len(lines):,}' if lines else 'none', '; '.join(lines)
    )


def drift_fact(means: Means) -> Fact:
    """Whether images of the other splits are like those of train, by the means of their facts."""
    beyond, told = [], []
    reference = means.get(TRAIN, {})
    for split, of in means.items():
        for fact, (mean, _, images) in of.items():
            centre, deviation, trained = reference.get(fact, (mean, 0.0, 0))
            if split == TRAIN or not deviation or not images or not trained:
                continue
            shift = (mean - centre) / deviation
            words = f'{fact} of {split} {shift:+.2f} standard deviations'
            told.append((abs(shift), words))
            if abs(shift) > _BEYOND_CHANCE * math.sqrt(1 / images + 1 / trained):
                beyond.append((abs(shift), words))
    if not told:
        return Fact('Drift between splits', 'not measured')
    detail = 'means against those of train: ' + ', '.join(words for _, words in sorted(told)[::-1])
    if not beyond:
        return Fact('Drift between splits', 'none beyond chance', detail)
    return Fact('Drift between splits', max(beyond)[1], detail)
