"""The images on which a candidate and a baseline can be compared: unseen when each was asked.

A model has seen the images that it was trained on and chosen on. After a change of the seed, the
fractions, the groups or the images, many new ones were in train or val of an earlier model, which
answers them from memory. What a Trainer held out is unseen all the same: there the answer counts
that was held out (`components.shared.held_out_answers`), and not that of the model.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from thawline.components.evaluation.predictions import NO_FOLD, Predictions
from thawline.components.ingestion import tied_groups
from thawline.components.shared.splits import TEST, TRAIN, VAL

_SEEN = 'seen'
_NAMED = ['image_id', 'group', 'cluster']


@dataclasses.dataclass(frozen=True)
class HeldOutImages:
    """Images that a model learned from and that were answered without them all the same.

    Attributes:
        folds: image id -> name of the fold; an answer has seen the other folds.
        answers: image id -> the answer; of the candidate it is not needed.
    """

    folds: Mapping[str, str] = dataclasses.field(default_factory=dict)
    answers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, table: Predictions) -> Self:
        """Those in the predictions of an evaluation; older ones have none."""
        rows = np.flatnonzero(table.folds != NO_FOLD)
        ids = [str(identity) for identity in table.ids[rows]]
        names = [table.classes[answer] for answer in table.answers[rows]]
        folds = [str(fold) for fold in table.folds[rows]]
        return cls(dict(zip(ids, folds, strict=True)), dict(zip(ids, names, strict=True)))


@dataclasses.dataclass(frozen=True)
class ImagesToCompare:
    """Of the candidate's images, those that both models can be compared on.

    Attributes:
        unseen: ids of those that the baseline has not seen, and can be asked about.
        answered: id -> the answer that was held out from the baseline.
    """

    unseen: frozenset[str] = frozenset()
    answered: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.unseen or self.answered)


def find(
    own: pa.Table,
    learned_from: Iterable[pa.Table],
    baseline_learned_from: Iterable[pa.Table],
    classes: Collection[str],
    held_out: HeldOutImages,
    baseline_held_out: HeldOutImages,
) -> ImagesToCompare:
    """Images of the candidate that neither model had seen when it answered, and both could answer.

    An image counts as seen also where another image of its group was: by the name of the group or
    cluster, or by an image that is now in the same one, as near-duplicates are.

    Args:
        own: the candidate's images; see `components.shared.image_table`.
        learned_from: all images that the candidate learned from, of all splits.
        baseline_learned_from: the same of the baseline.
        classes: that both models know.
        held_out: of the candidate: these it can be judged by, and the images of test.
        baseline_held_out: of the baseline.
    """
    rows = [
        row
        for row in own.select([*_NAMED, 'split', 'label']).to_pylist()
        if row['split'] == TEST or row['image_id'] in held_out.folds
    ]
    tied = _tied(rows)
    sides = []
    for tables, held in (
        (learned_from, held_out),
        (baseline_learned_from, baseline_held_out),
    ):
        places, seen = _places(tables, held), collections.defaultdict[str, set[str]](set)
        for row in rows:
            for name in _names(row):
                seen[tied[row['group']]] |= places.get(name, set())
        sides.append(seen)
    mine, others = sides
    unseen, answered = set(), {}
    for row in rows:
        identity, group = row['image_id'], tied[row['group']]
        if row['label'] not in classes or mine[group] - {held_out.folds.get(identity)}:
            continue
        if not others[group]:
            unseen.add(identity)
        elif others[group] == {baseline_held_out.folds.get(identity)}:
            answered[identity] = baseline_held_out.answers[identity]
    return ImagesToCompare(frozenset(unseen), answered)


def _places(tables: Iterable[pa.Table], held_out: HeldOutImages) -> dict[str, set[str]]:
    """Where images were: id, group or cluster -> folds, `_SEEN` of what was not held out."""
    places: dict[str, set[str]] = {}
    for table in tables:
        learned = table.filter(pc.field('split').isin([TRAIN, VAL]))
        for row in learned.select(_NAMED).to_pylist():
            place = held_out.folds.get(row['image_id'], _SEEN)
            for name in _names(row):
                places.setdefault(name, set()).add(place)
    return places


def _names(row: Mapping[str, str | None]) -> Iterator[str]:
    """By which an image is known: its own, that of its group, and that of its cluster."""
    group = row['group'] or row['image_id']
    yield f'image {row["image_id"]}'
    yield f'group {group}'
    yield f'cluster {row.get("cluster") or group}'  # older tables have none


def _tied(rows: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Group -> what it is tied to, by copies and clusters."""
    pairs = [(row['image_id'], row['group']) for row in rows]
    pairs += [(f'cluster {row["cluster"] or row["group"]}', row['group']) for row in rows]
    return tied_groups.tie_groups(pairs)
