"""What is wrong with the data, found in counts and anomalies alone; needs no TFX."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from thawline.components.data_gate import schema_change
from thawline.components.data_gate.params import DataPolicy
from thawline.components.data_gate.schema_change import SchemaChange
from thawline.components.shared import percentages
from thawline.components.shared.finding import Finding
from thawline.components.shared.records import Record
from thawline.components.shared.settings import Action
from thawline.components.shared.splits import SPLITS, TRAIN
from thawline.components.shared.text import abbreviate

_LISTED = 5
QUARANTINED = 'quarantined'  # the kind of the finding about unusable files


@dataclasses.dataclass(frozen=True)
class DataFacts:
    """What the data gate judges.

    Attributes:
        class_counts: split -> class -> images; of all splits that there are, also without images.
        listed: files that the source listed, but for those left out by choice.
        quarantined: how many of them are unusable.
        reasons: reason -> files, of the quarantined.
        changes: differences between the schema and the images.
    """

    class_counts: Mapping[str, Mapping[str, int]]
    listed: int
    quarantined: int
    reasons: Mapping[str, int]
    changes: Sequence[SchemaChange] = ()


@dataclasses.dataclass(frozen=True)
class DataRecord(Record):
    """The file of a DataVerdict."""

    FILE = 'verdict.json'

    facts: DataFacts
    findings: Sequence[Finding]


def find(facts: DataFacts, policy: DataPolicy) -> list[Finding]:
    """All findings, fatal ones first."""
    counts = {split: facts.class_counts[split] for split in SPLITS if split in facts.class_counts}
    classes = sorted({label for split in counts.values() for label in split})
    totals = {label: sum(of.get(label, 0) for of in counts.values()) for label in classes}
    small = [label for label in classes if totals[label] < policy.min_images_per_class]
    unusable = find_unusable(facts.listed, facts.quarantined, facts.reasons, policy)
    findings = [
        *_class_findings(totals, small, policy),
        *_split_findings(counts, classes),
        *([unusable] if unusable else []),
        *_schema_findings(facts.changes, policy),
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


def _schema_findings(changes: Sequence[SchemaChange], policy: DataPolicy) -> Iterable[Finding]:
    for line in schema_change.lines(changes):
        action: Action = getattr(policy, line.kind)
        if action != 'ignore':
            yield Finding(
                action == 'stop', f'{line.message}; if that is right: {line.accept}', line.kind
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


def find_unusable(
    listed: int, quarantined: int, reasons: Mapping[str, int], policy: DataPolicy
) -> Finding | None:
    """Whether more files are unusable than the policy allows.

    Args:
        listed: files of the source.
        quarantined: how many of them are unusable.
        reasons: reason -> files.
        policy: of the project.
    """
    share = quarantined / listed if listed else 1.0
    if share <= policy.max_quarantined or policy.quarantined == 'ignore':
        return None
    most_common = max(reasons, key=reasons.__getitem__, default='unknown')
    return Finding(
        policy.quarantined == 'stop',
        f'{quarantined} of {listed} files ({percentages.percent(share)}) are unusable, more than '
        f'data_gate.max_quarantined = {policy.max_quarantined:g}; most common reason: '
        f'{most_common}',
        QUARANTINED,
    )
