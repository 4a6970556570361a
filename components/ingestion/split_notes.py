"""What there is to say of a split: quotas that were missed, and images that left their split."""

from __future__ import annotations

import collections
from collections.abc import Collection, Iterable, Mapping

from thawline.components.ingestion import partition
from thawline.components.ingestion.quotas import quotas
from thawline.components.shared.text import abbreviate

_SHOWN = 5
_RELATIVE = 0.01  # of a large quota, that may be missed without a word


def missed_quotas(
    images: Iterable[tuple[str, str]],
    places: Mapping[str, str],
    fractions: Mapping[str, float],
    keeps_history: bool,
) -> list[str]:
    """A note on classes that miss a quota by more than one image, and by more than 1 % of it.

    Classes that are absent from a split are left to another note.

    Args:
        images: (group, label) of each image.
        places: the split of each group.
        fractions: share of each split.
        keeps_history: whether images keep the split of an earlier ingestion.
    """
    images = list(images)
    sizes = collections.Counter(label for _, label in images)
    counts = collections.Counter((label, places[group]) for group, label in images)
    missed = []
    for label, by_split in quotas(sizes, fractions).items():
        if not all(counts[label, split] for split in fractions):
            continue
        for split, quota in by_split.items():
            off = abs(counts[label, split] - quota)
            if off > max(1, _RELATIVE * quota):
                missed.append((-off, label, split, counts[label, split], quota))
    if not missed:
        return []
    shown = (
        f'{label or "unlabelled"} has {count:,} in {partition.describe(split)} instead of {quota:,}'
        for _, label, split, count, quota in sorted(missed)
    )
    reasons = 'groups stay whole'
    if keeps_history:
        reasons += ' and images keep the split of an earlier ingestion'
    listed = abbreviate(shown, _SHOWN)
    way_out = '; another data.split.seed splits anew' if keeps_history else ''
    return [f'shares of a class are missed, because {reasons}: {listed}{way_out}']


def moved_images(moves: Iterable[tuple[str, str, str]]) -> list[str]:
    """A note on images that are in another split than in an earlier ingestion, by name.

    Args:
        moves: path, split then, split now.
    """
    moves = sorted(moves)
    if not moves:
        return []
    listed = (f'{path} ({before} to {now})' for path, before, now in moves)
    kind = 'fold' if any(before.startswith('fold ') for _, before, _ in moves) else 'split'
    return [
        f'{len(moves)} images left the {kind} of an earlier ingestion, because they now belong '
        f'together with images of another: {abbreviate(listed, _SHOWN)}'
    ]


def other_folds(before: int, now: int, joined: bool) -> str:
    """A note where an earlier ingestion had another number of folds, or none.

    Args:
        before, now: folds; 0: none.
        joined: whether the earlier ones became those of now.
    """
    if joined:
        return f'the {before} folds of the last ingestion are joined to {now}'
    then, today = (f'{folds} folds' if folds else 'no folds' for folds in (before, now))
    return f'images are split anew: the last ingestion had {then}, and this one has {today}'


def absent_classes(present: Mapping[str, Collection[str]], classes: Collection[str]) -> list[str]:
    """Notes on classes that are absent from a split or a fold.

    Args:
        present: the classes in each part.
        classes: all of them.
    """
    folds = [part for part in present if partition.is_fold(part)]
    notes = [
        f'{name} has no image of {", ".join(sorted(set(classes) - set(there)))}: too few groups'
        for name, there in present.items()
        if name not in folds and set(classes) - set(there)
    ]
    if not folds:
        return notes
    counts = {name: sum(name in present[fold] for fold in folds) for name in sorted(classes)}
    few = [f'{name} ({count})' for name, count in counts.items() if 1 < count < len(folds)]
    if few:
        notes.append(
            f'classes are not in all of the {len(folds)} folds, because they have too few groups: '
            f'{abbreviate(few, _SHOWN)}'
        )
    if single := [name for name, count in counts.items() if count == 1]:
        notes.append(
            'classes are in one fold only, so whatever judges their images has not learned them: '
            f'{abbreviate(single, _SHOWN)}'
        )
    return notes
