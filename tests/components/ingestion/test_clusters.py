"""Clusters of near-duplicates: what is tied, what is noted, and how far a chain reaches."""

from __future__ import annotations

import csv
import io
import random

import pytest

from thawline.components.ingestion import clusters
from thawline.components.ingestion.clusters import Contradiction
from thawline.components.ingestion.near_duplicates import Pair
from thawline.components.ingestion.params import Split
from thawline.components.ingestion.readable_image import ReadableImage
from thawline.components.ingestion.split_plan import plan_splits

HASH = '0123456789abcdef0123456789abcdef'


def image(
    name: str, label: str = 'x', split: str | None = None, group: str | None = None
) -> ReadableImage:
    return ReadableImage(f'{name}.png', name, group, label, split)


def pair(first: str, second: str, agreement: float = 0.95) -> Pair:
    return Pair(first, second, agreement)


def test_clusters_are_tied_and_counted() -> None:
    rows = [image(name) for name in 'abcdefg']
    near = clusters.tie(rows, [pair('a', 'b'), pair('b', 'c'), pair('e', 'f')])
    assert near.leaders == {'a': 'a', 'b': 'a', 'c': 'a', 'e': 'e', 'f': 'e'}
    assert near.contradictions == ()
    assert near.notes == [
        '5 images are near-duplicates of others (2 clusters); each cluster stays in one split'
    ]
    assert clusters.Clusters().notes == []


def test_a_cluster_is_in_one_split_and_joins_the_groups() -> None:
    rows = [image(f'{n:02d}', 'xy'[n % 2], group=f'g{n // 2}') for n in range(20)]
    rows += [image(f'{n:02d}', 'xy'[n % 2]) for n in range(20, 60)]
    near = clusters.tie(rows, [pair('00', '30'), pair('30', '50'), pair('19', '50')])
    plan = plan_splits(rows, Split(folds=0), False, ties=near.ties)
    splits = {row.image_id: plan.split_of(row.key) for row in rows}
    tied = ('00', '01', '18', '19', '30', '50')
    assert len({splits[name] for name in tied}) == 1
    of_cluster = {plan.cluster_of(row.key) for row in rows if row.image_id in tied}
    assert len(of_cluster) == 1
    assert plan.cluster_of('40') == '40'


def test_a_cluster_that_holds_a_whole_class() -> None:
    rows = [image(f'{n:02d}', 'x' if n < 10 else 'y') for n in range(40)]
    near = clusters.tie(rows, [pair('00', f'{n:02d}') for n in range(1, 10)])
    plan = plan_splits(rows, Split(folds=0), False, ties=near.ties)
    splits = {plan.split_of(row.key) for row in rows if row.label == 'x'}
    assert splits == {'train'}  # without it the class cannot be learned
    assert any('no image of x' in note for note in plan.notes)


def test_given_splits_are_kept_and_named() -> None:
    rows = [
        image('a', split='train'), image('b', split='test'), image('c', split='train'),
        image('d', split='val'), image('e', 'y'), image('f', 'y', split='train'),
    ]  # fmt: skip
    near = clusters.tie(
        rows, [pair('a', 'b'), pair('c', 'f'), pair('d', 'e', 0.99), pair('c', 'e', 0.6)]
    )
    assert set(near.ties) == {('c', 'f'), ('d', 'e')}
    assert near.contradictions == (
        Contradiction(clusters.DIFFERENT_SPLITS, 'a.png', 'train', 'b.png', 'test'),
        Contradiction(clusters.DIFFERENT_SPLITS, 'c.png', 'train', 'e.png', 'val'),
    )
    assert '2 pairs of near-duplicates' in near.notes[1]
    assert 'a.png and b.png' in near.notes[1]
    plan = plan_splits(rows, Split(folds=0), False, ties=near.ties)
    assert plan.split_of('e') == 'val'


def test_groups_that_given_splits_hold_apart_are_not_tied_through_others() -> None:
    rows = [
        image('a', split='train', group='g'), image('b', group='h'), image('c', 'y', group='h'),
        image('d', split='test', group='i'),
    ]  # fmt: skip
    near = clusters.tie(rows, [pair('a', 'b', 0.99), pair('c', 'd', 0.95)])
    assert near.ties == (('g', 'h'),)
    assert [one.kind for one in near.contradictions] == [clusters.DIFFERENT_SPLITS]
    assert plan_splits(rows, Split(folds=0), False, ties=near.ties).split_of('h') == 'train'


def test_different_labels_in_a_cluster_are_noted() -> None:
    rows = [image('a', 'x'), image('b', 'y'), image('c', 'x'), image('d', 'y'), image('e', 'Z')]
    near = clusters.tie(rows, [pair('a', 'b'), pair('a', 'c'), pair('d', 'e')])
    near = clusters.with_labels(near, rows, {'x': 'x', 'y': 'y', 'Z': 'y'})
    assert near.contradictions == (
        Contradiction(clusters.DIFFERENT_LABELS, 'a.png', 'x', 'b.png', 'y'),
    )
    assert 'a.png and b.png' in near.notes[1]
    lines = list(csv.DictReader(io.StringIO(clusters.findings_to_csv(near))))
    assert lines == [
        {
            'kind': 'different labels', 'first': 'a.png', 'first_value': 'x',
            'second': 'b.png', 'second_value': 'y',
        }
    ]  # fmt: skip
    table = list(csv.DictReader(io.StringIO(clusters.to_csv(near, rows))))
    assert [(line['cluster'], line['path']) for line in table] == [
        ('a', 'a.png'), ('a', 'b.png'), ('a', 'c.png'), ('d', 'd.png'), ('d', 'e.png'),
    ]  # fmt: skip


def test_versions_of_one_upload_to_roboflow_are_tied_without_a_look() -> None:
    def version(folder: str, name: str, end: int) -> ReadableImage:
        return ReadableImage(f'{folder}/{name}_jpg.rf.{HASH}{end}.jpg', f'{folder}{name}{end}')

    rows = [version('a', 'leaf', 1), version('a', 'leaf', 2), version('a', 'leaf', 3)]
    rows += [version('b', 'leaf', 1), version('a', 'tree', 1)]
    assert clusters.tie(rows, []).leaders == dict.fromkeys(('aleaf1', 'aleaf2', 'aleaf3'), 'aleaf1')
    # A name that ever so many share was given to several uploads.
    many = [version('a', 'image', n) for n in range(60)]
    assert clusters.tie(many, []).leaders == {}


def test_a_chain_of_weak_likenesses_ends() -> None:
    chain = [pair(f'{n:02d}', f'{n + 1:02d}', 0.6 + n / 1000) for n in range(60)]
    weak = clusters.tie([image(f'{n:02d}') for n in range(61)], chain)
    sizes = [list(weak.leaders.values()).count(leader) for leader in set(weak.leaders.values())]
    assert max(sizes) <= clusters._FAMILY
    strong = [Pair(one.first, one.second, 0.98) for one in chain]
    assert len(clusters.without_chains(strong)) == 60
    star = [pair('a', f'b{n}', 0.6) for n in range(30)]
    assert len(clusters.without_chains(star)) == 30
    two = [pair(centre, f'{centre}{n}', 0.8) for centre in 'ac' for n in range(15)]
    assert ('a0', 'c0') not in clusters.without_chains([*two, pair('a0', 'c0', 0.7)])
    assert ('a', 'c') in clusters.without_chains([*two, pair('a', 'c', 0.7)])
    assert sum(sizes) == len(weak.leaders)


@pytest.mark.parametrize('seed', range(3))
def test_the_order_of_pairs_does_not_matter(seed: int) -> None:
    generator = random.Random(seed)
    names = [f'{n:02d}' for n in range(40)]
    pairs = list({tuple(sorted(generator.sample(names, 2))) for _ in range(60)})
    scored = [Pair(*names, generator.choice([0.6, 0.7, 0.95])) for names in sorted(pairs)]
    rows = [image(name) for name in names]
    expected = clusters.tie(rows, scored)
    generator.shuffle(scored)
    generator.shuffle(rows)
    assert clusters.tie(rows, scored) == expected


def test_pairs_of_one_image_or_copies_are_nothing_new() -> None:
    rows = [ReadableImage(f'{n}.png', 'a', None, 'x') for n in range(3)]
    assert clusters.tie(rows, [pair('a', 'a')]).leaders == {}
