"""The numbers of an ingestion, as values: a file and a property of its Quarantine."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Self

from thawline.components.ingestion import quarantine
from thawline.components.ingestion.quarantine import Rejected
from thawline.components.shared import property_names
from thawline.components.shared.records import Record
from thawline.components.shared.splits import TRAIN, VAL


@dataclasses.dataclass(frozen=True)
class IngestionSummary(Record):
    """How many images there are.

    Attributes:
        total: entries listed.
        written: images that can be used.
        quarantined: entries that cannot.
        classes: how many.
        reasons: reason -> entries, of the quarantined, most frequent first.
        splits: split -> class -> images.
        notes: remarks for people.
        samples: remarks on images of more than 8 bits.
        near_duplicates: remarks on near-duplicates.
        labels: remarks on labels of several people, and on corrected ones.
        folds: how many folds train and val are made of; 0 without.
    """

    FILE = 'summary.json'

    total: int
    written: int
    quarantined: int
    classes: int
    reasons: Mapping[str, int]
    splits: Mapping[str, Mapping[str, int]]
    notes: tuple[str, ...] = ()
    samples: tuple[str, ...] = ()
    near_duplicates: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    folds: int = 0

    @property
    def sizes(self) -> str:
        """Images of each split, for people; in folds together, as no fold comes before another."""
        sizes = {name: sum(by_class.values()) for name, by_class in self.splits.items()}
        return sizes_text(sizes, self.folds)

    @property
    def parts(self) -> dict[str, dict[str, int]]:
        """Images by class of each split, for people; `5 folds` in place of train and val."""
        splits = {name: dict(by_class) for name, by_class in self.splits.items()}
        if not self.folds:
            return splits
        together: collections.Counter[str] = collections.Counter()
        for name in (TRAIN, VAL):
            together.update(splits.pop(name, {}))
        return {f'{self.folds} folds': dict(sorted(together.items())), **splits}

    @property
    def without_choices(self) -> Self:
        """The same without what the settings leave out, which says nothing of the data."""
        chosen = {r: n for r, n in self.reasons.items() if r in quarantine.BY_CHOICE}
        return dataclasses.replace(
            self,
            total=self.total - sum(chosen.values()),
            quarantined=self.quarantined - sum(chosen.values()),
            reasons={r: n for r, n in self.reasons.items() if r not in chosen},
        )

    @classmethod
    def of_properties(cls, properties: Mapping[str, Any], uri: str) -> Self:
        """The summary among the properties of the Quarantine at `uri`.

        Raises:
            DataError: it is missing or damaged.
        """
        text = properties.get(property_names.SUMMARY, '')
        return cls.from_json(text, f'the summary of the Quarantine {uri}')


def sizes_text(sizes: Mapping[str, int], folds: int) -> str:
    """Images of each split in words; `397 in 5 folds` in place of train and val."""
    sizes, parts = dict(sizes), []
    if folds:
        parts.append(f'{sizes.pop(TRAIN, 0) + sizes.pop(VAL, 0):,} in {folds} folds')
    return ', '.join([*parts, *(f'{name} {images:,}' for name, images in sizes.items())])


def summarise(
    total: int,
    counts: Mapping[str, Mapping[str, int]],
    rejected: Sequence[Rejected],
    notes: Sequence[str] = (),
    samples: Sequence[str] = (),
    near_duplicates: Sequence[str] = (),
    labels: Sequence[str] = (),
    folds: int = 0,
) -> IngestionSummary:
    """The numbers of an ingestion; refuses to lose an image.

    Args:
        total: entries listed.
        counts: {split: {class: images written}}.
        rejected: what was not written.
        notes, samples, near_duplicates, labels: remarks for people.
        folds: how many; 0 without.

    Raises:
        RuntimeError: written and rejected do not add up to `total`.
    """
    written = sum(sum(by_class.values()) for by_class in counts.values())
    if written + len(rejected) != total:
        raise RuntimeError(
            f'{total} images were listed, but {written} written and {len(rejected)} rejected: '
            'some were lost or written twice.'
        )
    return IngestionSummary(
        total,
        written,
        len(rejected),
        len({name for by_class in counts.values() for name in by_class if name}),
        quarantine.counts_by_reason(rejected),
        counts,
        tuple(notes),
        tuple(samples),
        tuple(near_duplicates),
        tuple(labels),
        folds,
    )
