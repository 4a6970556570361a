"""From pairs of near-duplicates to clusters that stay in one split, and what contradicts that."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from thawline.components.ingestion import augmented_names
from thawline.components.ingestion.near_duplicates import Pair
from thawline.components.ingestion.readable_image import ReadableImage
from thawline.components.ingestion.tied_groups import TiedGroups, tie_groups
from thawline.components.shared.text import csv_table

CLUSTERS_CSV = 'near_duplicates.csv'
FINDINGS_CSV = 'near_duplicate_findings.csv'
DIFFERENT_LABELS = 'different labels'
DIFFERENT_SPLITS = 'different given splits'
# Two images that agree so well are copies of one, whatever else they are tied to.
_CERTAIN = 0.97
_FAMILY = 24  # images of a cluster that grows by less
_RANK: dict[str | None, int] = {None: -1, 'train': 0, 'val': 1, 'test': 2}  # of a fold: 0


@dataclasses.dataclass(frozen=True, order=True)
class Contradiction:
    """Two near-duplicates with different labels, or given to different splits or folds.

    Attributes:
        kind: DIFFERENT_LABELS or DIFFERENT_SPLITS.
        first, second: their paths.
        first_value, second_value: their labels, splits or folds.
    """

    kind: str
    first: str
    first_value: str
    second: str
    second_value: str


@dataclasses.dataclass(frozen=True)
class Clusters:
    """Near-duplicates of a set of images.

    Attributes:
        leaders: image id -> the lowest id of its cluster; for images in clusters alone.
        ties: groups that must share a split.
        contradictions: pairs that do not belong together by label or given split, sorted.
    """

    leaders: Mapping[str, str] = dataclasses.field(default_factory=dict)
    ties: tuple[tuple[str, str], ...] = ()
    contradictions: tuple[Contradiction, ...] = ()

    @property
    def notes(self) -> list[str]:
        """What a person reads of them first."""
        notes = []
        if images := len(self.leaders):
            count = len(set(self.leaders.values()))
            notes.append(
                f'{images:,} images are near-duplicates of others ({count:,} '
                f'{"cluster" if count == 1 else "clusters"}); each cluster stays in one split'
            )
        for kind, what in (
            (DIFFERENT_LABELS, 'have different labels'),
            (DIFFERENT_SPLITS, 'are in different splits'),
        ):
            pairs = [pair for pair in self.contradictions if pair.kind == kind]
            if pairs:
                if kind == DIFFERENT_SPLITS and pairs[0].first_value.startswith('fold '):
                    what = 'are in different folds'
                kept = '; what the source gives is kept' if kind == DIFFERENT_SPLITS else ''
                notes.append(
                    f'{len(pairs):,} {"pair" if len(pairs) == 1 else "pairs"} of near-duplicates '
                    f'{what}, such as {pairs[0].first} and {pairs[0].second}{kept}: see '
                    f'{FINDINGS_CSV} beside the quarantine'
                )
        return notes


def tie(rows: Iterable[ReadableImage], pairs: Iterable[Pair]) -> Clusters:
    """The clusters of near-duplicates; a given split is never contradicted, but noted.

    Args:
        rows: all readable images.
        pairs: near-duplicates among them.
    """
    by_id: dict[str, ReadableImage] = {}
    by_path: dict[str, ReadableImage] = {}
    for row in sorted(rows, key=_order):
        by_path[row.path] = row
        by_id.setdefault(row.image_id, row)
    versions = [
        (by_path[same[0]].image_id, by_path[other].image_id)
        for same in augmented_names.versions(by_path)
        for other in same[1:]
    ]
    splits = _GivenSplits(by_path.values())
    together, contradictions = [], set()
    for pair in (*versions, *without_chains(pairs)):
        if pair[0] == pair[1]:
            continue
        first, second = (by_id[image] for image in pair)
        if splits.join(first.key, second.key):
            together.append(pair)
        else:
            values = (splits.of(first.key) or '', splits.of(second.key) or '')
            contradictions.add(_contradiction(DIFFERENT_SPLITS, (first, second), values))
    leaders = tie_groups(
        (str(number), image) for number, pair in enumerate(together) for image in pair
    )
    ties = tuple((by_id[a].key, by_id[b].key) for a, b in together)
    return Clusters(leaders, ties, tuple(sorted(contradictions)))


def without_chains(pairs: Iterable[Pair]) -> list[tuple[str, str]]:
    """Pairs that may be tied: where each image of a row resembles the next, the ends need not.

    Those that agree best come first, so that clusters form around what is certain. A pair that is
    less so makes no cluster larger than a photograph and its versions, unless the images of both
    sides that have most near-duplicates are near-duplicates, too.
    """
    pairs = sorted(pairs, key=lambda pair: (-pair.agreement, pair.first, pair.second))
    known = {(pair.first, pair.second) for pair in pairs}
    degree = collections.Counter(image for pair in known for image in pair)
    clusters = {image: [image] for image in degree}  # the image with most near-duplicates first
    kept = []
    for pair in pairs:
        first, second = clusters[pair.first], clusters[pair.second]
        if first is second:
            kept.append((pair.first, pair.second))
            continue
        centres = (min(first[0], second[0]), max(first[0], second[0]))
        small = len(first) + len(second) <= _FAMILY
        if not (small or pair.agreement >= _CERTAIN or centres in known):
            continue
        kept.append((pair.first, pair.second))
        larger, smaller = sorted(
            (first, second), key=lambda images: (-len(images), -degree[images[0]], images[0])
        )
        larger += smaller
        clusters.update(dict.fromkeys(smaller, larger))
    return kept


def with_labels(
    clusters: Clusters, rows: Sequence[ReadableImage], classes: Mapping[str, str]
) -> Clusters:
    """Notes near-duplicates with different labels, too: one of a cluster against each other label.

    Args:
        clusters: those of `rows`.
        rows: images that are used.
        classes: label as read -> class.
    """
    members: dict[str, dict[str, ReadableImage]] = {}
    for row in sorted(rows, key=_order):
        if row.label is not None and (leader := clusters.leaders.get(row.image_id)):
            members.setdefault(leader, {}).setdefault(classes[row.label], row)
    contradictions = set(clusters.contradictions)
    for of_class in members.values():
        (label, row), *others = of_class.items()
        for other_label, other in others:
            contradictions.add(_contradiction(DIFFERENT_LABELS, (row, other), (label, other_label)))
    return dataclasses.replace(clusters, contradictions=tuple(sorted(contradictions)))


def to_csv(clusters: Clusters, rows: Iterable[ReadableImage]) -> str:
    """Every image of a cluster, a row each."""
    lines = [
        (clusters.leaders[row.image_id], row.path, row.label or '')
        for row in rows
        if row.image_id in clusters.leaders
    ]
    return csv_table(('cluster', 'path', 'label'), sorted(lines))


def findings_to_csv(clusters: Clusters) -> str:
    """Every contradiction, a row each."""
    names = tuple(field.name for field in dataclasses.fields(Contradiction))
    return csv_table(names, map(dataclasses.astuple, clusters.contradictions))


def _contradiction(
    kind: str, images: tuple[ReadableImage, ReadableImage], values: tuple[str, str]
) -> Contradiction:
    (first, value), (second, other) = sorted(
        zip((image.path for image in images), values, strict=True)
    )
    return Contradiction(kind, first, value, second, other)


def _rank(given: str | None) -> int:
    """How far from training."""
    return _RANK.get(given, 0)


def _order(row: ReadableImage) -> tuple[str, str]:
    return row.path, row.image_id


class _GivenSplits:
    """Groups that are tied so far, and the split or fold that was given to any of them."""

    def __init__(self, rows: Iterable[ReadableImage]) -> None:
        rows = list(rows)
        self._ties = TiedGroups((row.image_id, row.key) for row in rows)
        self._split: dict[str, str | None] = {}
        for row in rows:
            leader = self._ties.leader(row.key)
            # Copies in several splits: that nearest to evaluation stays (see `split_plan`).
            if _rank(row.given) > _rank(self._split.get(leader)):
                self._split[leader] = row.given

    def of(self, group: str) -> str | None:
        """The split that was given to a group or to one that it is tied to."""
        return self._split.get(self._ties.leader(group))

    def join(self, a: str, b: str) -> bool:
        """Ties two groups, unless they are given to different splits."""
        split, other = self.of(a), self.of(b)
        if split and other and split != other:
            return False
        leader = self._ties.tie(a, b)
        if split or other:
            self._split[leader] = split or other
        return True
