"""What stops a run before training, decided on counts and anomalies alone. Knows nothing of TFX."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal

import pydantic

from thawline.components.shared import percentages
from thawline.components.shared.settings import Count, Section, Share
from thawline.components.shared.splits import SPLITS


class DataGate(Section):
    """What stops a run before anything is trained."""

    min_images_per_class: Count = pydantic.Field(
        default=10, description='Over all splits; a smaller class stops the run.'
    )
    max_quarantined: Share = pydantic.Field(
        default=0.05, description='Largest share of files that may be unusable.'
    )
    anomalies: Literal['stop', 'warn'] = pydantic.Field(
        default='stop', description='What anomalies against the schema lead to.'
    )


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something about the data; a fatal one stops the run."""

    fatal: bool
    message: str


@dataclasses.dataclass(frozen=True)
class Facts:
    """What is known of the data when the gate decides.

    Attributes:
        class_counts: split -> class -> images.
        listed: files that the source listed.
        quarantined: how many of them are unusable.
        reasons: reason -> files, of the quarantined.
        anomalies: split -> one line an anomaly.
    """

    class_counts: Mapping[str, Mapping[str, int]]
    listed: int
    quarantined: int
    reasons: Mapping[str, int]
    anomalies: Mapping[str, Sequence[str]]


def _names(classes: Sequence[str], most: int = 5) -> str:
    shown = ', '.join(repr(c) for c in classes[:most])
    return shown + (f' and {len(classes) - most} more' if len(classes) > most else '')


def judge(facts: Facts, policy: DataGate) -> list[Finding]:
    """All findings, fatal ones first; an empty list means that nothing is wrong."""
    counts = {split: facts.class_counts.get(split, {}) for split in SPLITS}
    classes = sorted({label for split in counts.values() for label in split})
    totals = {label: sum(counts[split].get(label, 0) for split in SPLITS) for label in classes}
    fatal: list[str] = []
    remarks: list[str] = []

    if len(classes) < 2:
        fatal.append(f'only {len(classes)} class ({_names(classes)}); a classifier needs two')
    small = [label for label in classes if totals[label] < policy.min_images_per_class]
    if small:
        listed = ', '.join(f'{label!r} ({totals[label]})' for label in small[:5])
        fatal.append(
            f'{len(small)} class{"es" if len(small) > 1 else ""} with fewer than '
            f'{policy.min_images_per_class} images: {listed}; add images, merge or remove the '
            'class, or lower data_gate.min_images_per_class'
        )
    for split in SPLITS:
        absent = [label for label in classes if not counts[split].get(label)]
        if absent and len(classes) > 1:
            (fatal if split == 'train' else remarks).append(
                f'{_names(absent)} ha{"ve" if len(absent) > 1 else "s"} no image in {split}; '
                'larger or fewer groups, or a given split, may be the cause'
            )
    share = facts.quarantined / facts.listed if facts.listed else 1.0
    if share > policy.max_quarantined:
        most = max(facts.reasons, key=lambda reason: facts.reasons[reason], default='unknown')
        fatal.append(
            f'{facts.quarantined} of {facts.listed} files ({percentages.percent(share)}) are '
            'unusable, '
            f'more than data_gate.max_quarantined = {policy.max_quarantined:g}; most often: {most}'
        )
    for split, lines in facts.anomalies.items():
        for line in lines:
            (fatal if policy.anomalies == 'stop' else remarks).append(f'anomaly in {split}: {line}')
    if classes and not small:
        largest, smallest = max(totals, key=totals.__getitem__), min(totals, key=totals.__getitem__)
        if totals[largest] > 10 * totals[smallest]:
            remarks.append(
                f'{largest!r} has {totals[largest]} images and {smallest!r} {totals[smallest]}: '
                'accuracy alone will say little about the smaller class'
            )
    return [Finding(True, m) for m in fatal] + [Finding(False, m) for m in remarks]
