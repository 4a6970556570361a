"""From what was read to what is written where: splits, class names, and what leaves.

Works on one small row an image, after every image was read once: only then are the content
hashes (default groups, duplicates) and the survivors known.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

from thawline.components.ingestion import hash_split, labels, split_notes, stratify
from thawline.components.ingestion.quarantine import CONFLICTING_LABELS, LEAK, Rejected
from thawline.components.ingestion.split_history import SplitHistory
from thawline.components.ingestion.tied_groups import tie_groups
from thawline.components.shared.errors import DataError
from thawline.components.shared.sample_depth import SampleUse


@dataclasses.dataclass(frozen=True)
class ReadableImage:
    """One readable image: its path, content hash, group (None: the hash), label, given split.

    `samples` is the range of those that have more than 8 bits, `source_label` the label before a
    correction.
    """

    path: str
    image_id: str
    group: str | None = None
    label: str | None = None
    split: str | None = None
    samples: SampleUse | None = None
    source_label: str | None = None

    @property
    def key(self) -> str:
        """The group that is never split."""
        return self.group or self.image_id


@dataclasses.dataclass(frozen=True)
class SplitPlan:
    """What the writer needs to know, beyond the record itself.

    Attributes:
      overrides: {group: split} where it is not the one of the group's hash.
      classes: {label as read: class name}.
      rejected: images that leave after all.
      clusters: {group: the lowest of those that it is tied to}, of groups that are not the lowest.
      notes: remarks for the person.
    """

    overrides: dict[str, str]
    classes: dict[str, str]
    rejected: tuple[Rejected, ...]
    notes: tuple[str, ...]
    clusters: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def cluster_of(self, group: str) -> str:
        """What a group is tied to: by copies and by near-duplicates."""
        return self.clusters.get(group, group)

    def split_of(self, group: str, seed: int, fractions: Mapping[str, float]) -> str:
        """The split of a group."""
        return self.overrides.get(group) or hash_split.assign(group, seed, fractions)


def plan_splits(
    rows: Iterable[ReadableImage],
    seed: int,
    fractions: Mapping[str, float],
    normalise_labels: bool,
    history: SplitHistory | None = None,
    ties: Iterable[tuple[str, str]] = (),
) -> SplitPlan:
    """Plans the splits of all readable images.

    Given splits win. If some splits are given but not all, the missing ones are taken out of the
    images given to train. What an earlier ingestion split stays where it is, and the rest fills the
    quotas of each class. An image that occurs in several groups ties those groups together, as do
    `ties`: pairs of groups that must share a split for another reason.

    Raises:
      DataError: no image, fewer than two classes, variants of a label, a group in two given
        splits, splits given without train.
    """
    rows = sorted(rows, key=_order)
    if not rows:
        raise DataError('No readable image is left.')
    classes, notes = _classes(rows, normalise_labels)
    labelled = {row.label for row in rows}
    rows, conflicting = _without_conflicts(rows, classes)
    if lost := sorted(map(str, labelled - {row.label for row in rows})):
        raise DataError(f'All images of {", ".join(lost)} occur with other labels too.')
    rows, leaks = _without_leaks(rows)
    if leaks:
        notes.append(
            f'{len(leaks)} images occur in two given splits; the copies nearer to training '
            'are quarantined'
        )
    split_by_group = _given_splits(rows)
    copies = ((row.image_id, row.key) for row in rows)
    near = ((f'tie {number}', group) for number, pair in enumerate(ties) for group in pair)
    tied = tie_groups((*copies, *near))
    clusters = {group: leader for group, leader in tied.items() if group != leader}
    history = history or SplitHistory()
    earlier = history.split_by_leader([(r.image_id, r.key, tied[r.key]) for r in rows])
    overrides, missed = _overrides(rows, classes, split_by_group, tied, earlier, seed, fractions)
    plan = SplitPlan(overrides, classes, (*conflicting, *leaks), (), clusters)
    notes += _duplicates(rows)
    notes += missed
    notes += split_notes.moved_images(_moves(rows, plan, history, seed, fractions))
    notes += _absences(rows, plan, seed, fractions)
    return dataclasses.replace(plan, notes=tuple(notes))


def _order(row: ReadableImage) -> tuple[str, ...]:
    return row.path, row.image_id, row.group or '', row.label or '', row.split or ''


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


def _without_leaks(rows: list[ReadableImage]) -> tuple[list[ReadableImage], list[Rejected]]:
    """Removes copies of one image from the given splits nearer to training.

    Test images must stay unseen, and copies are common; refusing the whole set would help nobody.
    """
    rank = {'train': 0, 'val': 1, 'test': 2}
    last: dict[str, str] = {}
    for row in rows:
        if row.split and rank[row.split] > rank.get(last.get(row.image_id, ''), -1):
            last[row.image_id] = row.split
    kept, rejected = [], []
    for row in rows:
        keeper = last.get(row.image_id)
        if row.split and keeper and row.split != keeper:
            rejected.append(Rejected(row.path, LEAK, f'given to {row.split} and to {keeper}'))
        else:
            kept.append(row)
    return kept, rejected


def _given_splits(rows: Sequence[ReadableImage]) -> dict[str, str]:
    conflicts = hash_split.given_conflicts((r.key, r.split) for r in rows)
    if conflicts:
        group, splits = next(iter(conflicts.items()))
        paths = [r.path for r in rows if r.key == group][:3]
        raise DataError(
            f'{len(conflicts)} groups are given to more than one split, which would leak training '
            f'images into evaluation: {group!r} is in {" and ".join(splits)} '
            f'({", ".join(paths)} ...). Give all images of a group the same split.'
        )
    split_by_group = {r.key: r.split for r in rows if r.split}
    if split_by_group and 'train' not in split_by_group.values():
        raise DataError(
            'Splits are given, but none is train. Received: '
            f'{sorted(set(split_by_group.values()))}.'
        )
    return split_by_group


def _overrides(
    rows: Sequence[ReadableImage],
    classes: Mapping[str, str],
    split_by_group: Mapping[str, str],
    tied: Mapping[str, str],
    earlier_splits: Mapping[str, str],
    seed: int,
    fractions: Mapping[str, float],
) -> tuple[dict[str, str], list[str]]:
    """{group: split} where it is not that of the hash, and a note on shares that were missed."""
    chosen: dict[str, str] = {}
    for group, leader in tied.items():
        if group in split_by_group:
            earlier = chosen.setdefault(leader, split_by_group[group])
            if earlier != split_by_group[group]:
                raise DataError(
                    f'The groups {group!r} and {leader!r} share an image but are given to the '
                    f'splits {split_by_group[group]} and {earlier}. Give them the same split.'
                )
    missing = (
        [s for s in fractions if s not in set(split_by_group.values())] if split_by_group else []
    )
    fixed = {g: s for g, s in chosen.items() if not missing or s != 'train'}
    images = [(tied[r.key], classes.get(r.label or '', '')) for r in rows]
    shares = dict(fractions)
    if missing:
        # Only what was given to train (or to nothing) is shared out, over train and the missing.
        open_splits = ['train', *missing]
        total = sum(fractions[s] for s in open_splits)
        shares = {s: fractions[s] / total for s in open_splits}
        images = [(g, c) for g, c in images if g not in fixed]
    kept = {g: s for g, s in earlier_splits.items() if s in shares}
    place = stratify.share_out(images, seed, shares, {**kept, **fixed})
    missed = []
    if missing or not fixed:  # else given splits decide the shares
        missed = split_notes.missed_quotas(images, place, shares, bool(kept))
    place = {**place, **fixed}
    result = {}
    for group, leader in tied.items():
        if place[leader] != hash_split.assign(group, seed, fractions):
            result[group] = place[leader]
    return result, missed


def _moves(
    rows: Sequence[ReadableImage],
    plan: SplitPlan,
    history: SplitHistory,
    seed: int,
    fractions: Mapping[str, float],
) -> Iterator[tuple[str, str, str]]:
    """Path, earlier split and split of images that were not given to the split they are in now."""
    for row in rows:
        before = history.images.get(row.image_id)
        if before is not None:
            now = plan.split_of(row.key, seed, fractions)
            if now not in (before, row.split):
                yield row.path, before, now


def _duplicates(rows: Sequence[ReadableImage]) -> list[str]:
    copies = len(rows) - len({row.image_id for row in rows})
    return [f'{copies} images are exact copies of others; copies share a split'] if copies else []


def _absences(
    rows: Sequence[ReadableImage], plan: SplitPlan, seed: int, fractions: Mapping[str, float]
) -> list[str]:
    present: dict[str, set[str]] = {name: set() for name in fractions}
    names = set(plan.classes.values())
    for row in rows:
        if row.label is not None:
            where = plan.split_of(row.key, seed, fractions)
            present[where].add(plan.classes[row.label])
    return [
        f'{name} has no image of {", ".join(sorted(names - found))}: too few groups'
        for name, found in present.items()
        if names - found
    ]
