"""What is wrong with the data, found in counts and anomalies alone; needs no TFX."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from thawline.components.data_gate.params import DataPolicy
from thawline.components.shared import percentages
from thawline.components.shared.finding import Finding
from thawline.components.shared.records import Record
from thawline.components.shared.splits import SPLITS, TRAIN
from thawline.components.shared.text import abbreviate

_LISTED = 5


@dataclasses.dataclass(frozen=True)
class DataFacts:
    """What the data gate judges.

    Attributes:
        class_counts: split -> class -> images.
        listed: files that the source listed, but for those left out by choice.
        quarantined: how many of them are unusable.
        reasons: reason -> files, of the quarantined.
        anomalies: split -> one line an anomaly.
        schema_classes: those that the schema knows.
    """

    class_counts: Mapping[str, Mapping[str, int]]
    listed: int
    quarantined: int
    reasons: Mapping[str, int]
    anomalies: Mapping[str, Sequence[str]]
    schema_classes: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class DataRecord(Record):
    """The file of a DataVerdict."""

    FILE = 'verdict.json'

    facts: DataFacts
    findings: Sequence[Finding]


def find(facts: DataFacts, policy: DataPolicy) -> list[Finding]:
    """All findings, fatal ones first."""
    counts = {split: facts.class_counts.get(split, {}) for split in SPLITS}
    classes = sorted({label for split in counts.values() for label in split})
    totals = {label: sum(counts[split].get(label, 0) for split in SPLITS) for label in classes}
    small = [label for label in classes if totals[label] < policy.min_images_per_class]
    findings = [
        *_class_findings(totals, small, policy),
        *_lost_class_findings(facts.schema_classes, classes, policy),
        *_split_findings(counts, classes),
        *_quarantine_findings(facts, policy),
        *(
            Finding(policy.anomalies == 'stop', f'anomaly in {split}: {line}')
            for split, lines in facts.anomalies.items()
            for line in lines
        ),
    ]
    if classes and not small:
        largest, smallest = max(totals, key=totals.__getitem__), min(totals, key=totals.__getitem__)
        if totals[largest] > 10 * totals[smallest]:
            message = (
                f'{largest!r} has {totals[largest]} images and {smallest!r} only '
                f'{totals[smallest]}: accuracy says little about the smaller class'
            )
            findings.append(Finding(False, message))
    return sorted(findings, key=lambda finding: not finding.fatal)


def _class_findings(
    totals: Mapping[str, int], small: Sequence[str], policy: DataPolicy
) -> Iterable[Finding]:
    if len(totals) < 2:
        labels = f'only the label {next(iter(totals))!r}' if totals else 'no labels'
        yield Finding(True, f'the images have {labels}; a classifier needs two classes or more')
    if small:
        listed = abbreviate((f'{label!r} ({totals[label]})' for label in small), _LISTED)
        verb = 'class has' if len(small) == 1 else 'classes have'
        yield Finding(
            True,
            f'{len(small)} {verb} fewer than {policy.min_images_per_class} images: {listed}; add '
            'images, merge or remove classes, or lower data_gate.min_images_per_class',
        )


def _lost_class_findings(
    known: Sequence[str], classes: Sequence[str], policy: DataPolicy
) -> Iterable[Finding]:
    lost = [repr(label) for label in known if label not in classes]
    if lost:
        yield Finding(
            policy.anomalies == 'stop',
            f'the schema knows {abbreviate(lost, _LISTED)}, but no image has '
            f'{"this class" if len(lost) == 1 else "these classes"}; add images, or review the '
            'schema: thawline schema --force',
        )


def _split_findings(
    counts: Mapping[str, Mapping[str, int]], classes: Sequence[str]
) -> Iterable[Finding]:
    for split, of_class in counts.items():
        absent = [repr(label) for label in classes if not of_class.get(label)]
        if absent and len(classes) > 1:
            verb = 'has' if len(absent) == 1 else 'have'
            yield Finding(
                split == TRAIN,
                f'{abbreviate(absent, _LISTED)} {verb} no images in {split}; the cause can be few, '
                'large groups or a given split',
            )


def _quarantine_findings(facts: DataFacts, policy: DataPolicy) -> Iterable[Finding]:
    share = facts.quarantined / facts.listed if facts.listed else 1.0
    if share > policy.max_quarantined:
        reasons = facts.reasons
        most_common = max(reasons, key=reasons.__getitem__, default='unknown')
        yield Finding(
            True,
            f'{facts.quarantined} of {facts.listed} files ({percentages.percent(share)}) are '
            f'unusable, more than data_gate.max_quarantined = {policy.max_quarantined:g}; most '
            f'common reason: {most_common}',
        )
