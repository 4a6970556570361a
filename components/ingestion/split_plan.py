"""From what was read to what is written where: splits, folds, class names, and what leaves.

Works on one small row an image, after every image was read once: only then are the content
hashes (default groups, duplicates) and the survivors known.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

from thawline.components.ingestion import (
    fold_choice,
    given_parts,
    labels,
    partition,
    split_notes,
    stratify,
)
from thawline.components.ingestion.params import Split
from thawline.components.ingestion.partition import Partition
from thawline.components.ingestion.quarantine import CONFLICTING_LABELS, Rejected
from thawline.components.ingestion.readable_image import ReadableImage
from thawline.components.ingestion.split_history import SplitHistory
from thawline.components.ingestion.tied_groups import tie_groups
from thawline.components.shared.errors import DataError
from thawline.components.shared.splits import TEST


@dataclasses.dataclass(frozen=True)
class SplitPlan:
    """What the writer needs to know, beyond the record itself.

    Attributes:
      overrides: {group: part} where it is not the one of the group's hash.
      classes: {label as read: class name}.
      rejected: images that leave after all.
      partition: the parts: splits, or folds.
      notes: remarks for the person.
      clusters: {group: the lowest of those that it is tied to}, of groups that are not the lowest.
    """

    overrides: dict[str, str]
    classes: dict[str, str]
    rejected: tuple[Rejected, ...]
    partition: Partition
    notes: tuple[str, ...] = ()
    clusters: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def cluster_of(self, group: str) -> str:
        """What a group is tied to: by copies and by near-duplicates."""
        return self.clusters.get(group, group)

    def part_of(self, group: str) -> str:
        """The part of a group: a split, or the number of a fold."""
        return self.overrides.get(group) or self.partition.assign(group)

    def split_of(self, group: str) -> str:
        """The split of a group."""
        return partition.split_of(self.part_of(group))

    def fold_of(self, group: str) -> int | None:
        """The fold of a group; None without folds, and in test."""
        return partition.fold_of(self.part_of(group))


def plan_splits(
    rows: Iterable[ReadableImage],
    split: Split,
    normalise_labels: bool,
    history: SplitHistory | None = None,
    ties: Iterable[tuple[str, str]] = (),
) -> SplitPlan:
    """Plans the splits, or the folds, of all readable images.

    Given splits and folds win. If some splits are given but not all, the missing ones are taken out
    of the images given to train. What an earlier ingestion split stays where it is, and the rest
    fills the quotas of each class. An image that occurs in several groups ties those groups
    together, as do `ties`: pairs of groups that must share a split for another reason.

    Raises:
      DataError: no image, fewer than two classes, variants of a label, a group in two given
        splits or folds, splits given without train, too few groups for folds, folds asked for
        where splits are given.
    """
    rows = sorted(rows, key=_order)
    if not rows:
        raise DataError('No readable image is left.')
    classes, notes = _classes(rows, normalise_labels)
    labelled = {row.label for row in rows}
    rows, conflicting = _without_conflicts(rows, classes)
    if lost := sorted(map(str, labelled - {row.label for row in rows})):
        raise DataError(f'All images of {", ".join(lost)} occur with other labels too.')
    folds_are_given = any(row.fold for row in rows)
    if folds_are_given:
        rows = given_parts.number_folds(rows)
    rows, leaks = given_parts.without_leaks(rows)
    if leaks:
        notes.append(
            f'{len(leaks)} images occur in two given splits or folds; the copies nearer to '
            'training are quarantined'
        )
    given = given_parts.by_group(rows)
    copies = ((row.image_id, row.key) for row in rows)
    near = ((f'tie {number}', group) for number, pair in enumerate(ties) for group in pair)
    tied = tie_groups((*copies, *near))
    clusters = {group: leader for group, leader in tied.items() if group != leader}
    if folds_are_given:
        parts = _given_partition(rows, split)
    else:
        units = {tied[row.key] for row in rows if row.label is not None or not classes}
        images = collections.Counter(row.label for row in rows if row.label is not None)
        parts, chosen = fold_choice.choose(split, images.values(), len(units), set(given.values()))
        notes += chosen
    history = history or SplitHistory()
    kept = history.of_folds(parts.folds)
    if history.images and history.folds != parts.folds:
        notes.append(split_notes.other_folds(history.folds, parts.folds, joined=kept is not None))
    history = kept or SplitHistory()
    earlier = history.part_by_leader(
        [(r.image_id, r.key, tied[r.key]) for r in rows], list(parts.shares)
    )
    overrides, missed = _overrides(rows, classes, given, tied, earlier, parts)
    plan = SplitPlan(overrides, classes, (*conflicting, *leaks), parts, (), clusters)
    notes += _duplicates(rows)
    notes += missed
    notes += split_notes.moved_images(_moves(rows, plan, history))
    notes += _absences(rows, plan)
    return dataclasses.replace(plan, notes=tuple(notes))


def _given_partition(rows: Sequence[ReadableImage], split: Split) -> Partition:
    """The folds that the source gives, beside a test split where it gives that, too."""
    given = [row.split for row in rows if row.split]
    folds = 1 + max(int(part) for part in given if partition.is_fold(part))
    if split.folds not in ('auto', folds):
        raise DataError(
            f'data.split.folds is {split.folds}, but data.columns.fold gives {folds} folds. Set '
            'data.split.folds: auto to use these, or leave out data.columns.fold.'
        )
    test = given.count(TEST) / len(given)
    return Partition.folded(split.model_copy(update={'test': test}), folds)


def _order(row: ReadableImage) -> tuple[str, ...]:
    return (
        row.path, row.image_id, row.group or '', row.label or '', row.split or '', row.fold or ''
    )  # fmt: skip


def _classes(rows: Sequence[ReadableImage], normalise: bool) -> tuple[dict[str, str], list[str]]:
    counts = collections.Counter(r.label for r in rows if r.label is not None)
    if not counts:
        return {}, []
    classes, notes = labels.relabelling(counts, normalise)
    labels.check_classes((classes[c] for c in counts.elements()), 'What could be read', least=1)
    return classes, notes


def _without_conflicts(
    rows: list[ReadableImage], classes: Mapping[str, str]
) -> tuple[list[ReadableImage], list[Rejected]]:
    """Removes all copies of an image that occurs with different labels: one of them is wrong."""
    copies: dict[str, list[ReadableImage]] = collections.defaultdict(list)
    for row in rows:
        copies[row.image_id].append(row)
    rejected = []
    for same in copies.values():
        if len({classes.get(row.label or '') for row in same}) > 1:
            detail = ', '.join(f'{row.path}: {row.label!r}' for row in same)
            rejected += [Rejected(row.path, CONFLICTING_LABELS, detail) for row in same]
    gone = {entry.path for entry in rejected}
    return [row for row in rows if row.path not in gone], rejected


def _overrides(
    rows: Sequence[ReadableImage],
    classes: Mapping[str, str],
    given: Mapping[str, str],
    tied: Mapping[str, str],
    earlier_parts: Mapping[str, str],
    parts: Partition,
) -> tuple[dict[str, str], list[str]]:
    """{group: part} where it is not that of the hash, and a note on shares that were missed."""
    chosen: dict[str, str] = {}
    for group, leader in tied.items():
        if group in given:
            earlier = chosen.setdefault(leader, given[group])
            if earlier != given[group]:
                this, other = map(partition.describe, (given[group], earlier))
                raise DataError(
                    f'The groups {group!r} and {leader!r} share an image but are given to '
                    f'{this} and {other}. Give them the same.'
                )
    missing: list[str] = []
    if given and not parts.folds:
        missing = [split for split in parts.shares if split not in set(given.values())]
    fixed = {g: p for g, p in chosen.items() if not missing or p != 'train'}
    images = [(tied[r.key], classes.get(r.label or '', '')) for r in rows]
    shares = dict(parts.shares)
    if missing:
        # Only what was given to train (or to nothing) is shared out, over train and the missing.
        open_splits = ['train', *missing]
        total = sum(shares[s] for s in open_splits)
        shares = {s: shares[s] / total for s in open_splits}
        images = [(g, c) for g, c in images if g not in fixed]
    kept = {g: p for g, p in earlier_parts.items() if p in shares}
    if parts.folds:
        kept = _learnable(kept, images)
    place = stratify.share_out(images, parts.seed, shares, {**kept, **fixed})
    missed = []
    if missing or not fixed:  # else given splits decide the shares
        missed = split_notes.missed_quotas(images, place, shares, bool(kept))
    place = {**place, **fixed}
    judged = [(tied[r.key], r.label or '') for r in rows if r.label is not None or not classes]
    if parts.folds and not given:
        place = fold_choice.fill_empty(place, judged, parts.shares)
    filled = {place[group] for group, _ in judged}
    fold_choice.check_filled(parts.shares, filled)
    return {g: place[lead] for g, lead in tied.items() if place[lead] != parts.assign(g)}, missed


def _learnable(kept: Mapping[str, str], images: Iterable[tuple[str, str]]) -> dict[str, str]:
    """What groups keep, but for those of classes that would be in fold 0 alone, so in no train."""
    groups: dict[str, set[str]] = collections.defaultdict(set)
    for group, label in images:
        groups[label].add(group)
    free = {
        group
        for of_class in groups.values()
        if not partition.trained_parts(kept.get(group, '1') for group in of_class)
        for group in of_class
    }
    return {group: part for group, part in kept.items() if group not in free}


def _moves(
    rows: Sequence[ReadableImage], plan: SplitPlan, history: SplitHistory
) -> Iterator[tuple[str, str, str]]:
    """Path, earlier part and part of images that were not given to the part they are in now."""
    for row in rows:
        before = history.images.get(row.image_id)
        if before is not None:
            now = plan.part_of(row.key)
            if now not in (before, row.split):
                yield row.path, partition.describe(before), partition.describe(now)


def _duplicates(rows: Sequence[ReadableImage]) -> list[str]:
    copies = len(rows) - len({row.image_id for row in rows})
    return [f'{copies} images are exact copies of others; copies share a split'] if copies else []


def _absences(rows: Sequence[ReadableImage], plan: SplitPlan) -> list[str]:
    present: dict[str, set[str]] = {part: set() for part in plan.partition.shares}
    for row in rows:
        if row.label is not None:
            present[plan.part_of(row.key)].add(plan.classes[row.label])
    return split_notes.absent_classes(present, set(plan.classes.values()))
