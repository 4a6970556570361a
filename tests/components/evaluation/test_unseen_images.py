"""Which images count in a comparison: no model has seen them, nor others of their groups."""

from __future__ import annotations

import hashlib
import pathlib
import time
from collections.abc import Collection, Sequence

import hypothesis
import hypothesis.strategies as st
import pyarrow as pa
import pyarrow.parquet as pq

from thawline.components.evaluation.unseen_images import HeldOutImages, ImagesToCompare, find
from thawline.components.shared import image_table

Image = tuple[str, str, str]  # id, group, split


def table(*images: Image) -> pa.Table:
    rows = [
        {'image_id': name, 'path': f'{name}.png', 'group': group, 'split': split, 'label': 'x'}
        for name, group, split in images
    ]
    return pa.Table.from_pylist(rows, image_table.SCHEMA)


def unseen(
    own: pa.Table, learned_from: Sequence[pa.Table], classes: Collection[str]
) -> frozenset[str]:
    """Without a held-out answer."""
    images = find(own, learned_from, (), classes, HeldOutImages(), HeldOutImages())
    other_way = find(own, (), learned_from, classes, HeldOutImages(), HeldOutImages())
    assert images == other_way
    return images.unseen


OWN = table(
    ('a', 'a', 'train'), ('b', 'b', 'val'),
    ('c', 'c', 'test'), ('d', 'd', 'test'), ('e', 'pair', 'test'), ('f', 'pair', 'test'),
)  # fmt: skip


def test_without_another_model_all_test_images_are_unseen() -> None:
    assert unseen(OWN, [], ['x']) == unseen(OWN, [OWN], ['x']) == {'c', 'd', 'e', 'f'}
    assert unseen(table(('a', 'a', 'train')), [OWN], ['x']) == frozenset()
    assert unseen(table(), [OWN, table()], ['x']) == frozenset()


def test_another_image_of_the_cluster_was_seen() -> None:
    rows = [
        {'image_id': name, 'path': name, 'group': name, 'split': split, 'label': 'x', 'cluster': of}
        for name, split, of in (('a', 'train', 'a'), ('c', 'test', 'c'), ('d', 'test', 'c'))
    ]
    own = pa.Table.from_pylist(rows, image_table.SCHEMA)
    assert unseen(own, [own], ['x']) == {'c', 'd'}
    # By a near-duplicate that is in the test set now, or by the name of the cluster.
    assert unseen(own, [table(('d', 'd', 'train'))], ['x']) == frozenset()
    gone = pa.Table.from_pylist([{**rows[2], 'image_id': 'e', 'split': 'val'}], image_table.SCHEMA)
    assert unseen(own, [gone], ['x']) == frozenset()
    # Tables from before there were clusters have none in common.
    assert unseen(OWN, [table(('z', 'z', 'train'))], ['x']) == {'c', 'd', 'e', 'f'}


def test_what_another_model_was_trained_or_chosen_on_is_seen() -> None:
    for split, expected in (('train', {'d', 'e', 'f'}), ('val', {'d', 'e', 'f'}), ('test', None)):
        assert unseen(OWN, [table(('c', 'c', split))], ['x']) == (expected or {'c', 'd', 'e', 'f'})


def test_another_image_of_the_group_was_seen() -> None:
    # By the name of the group, though the other image is no longer there.
    assert unseen(OWN, [table(('gone', 'pair', 'train'))], ['x']) == {'c', 'd'}
    # By an image that is in the group now, and had another group then, or none.
    assert unseen(OWN, [table(('e', 'e', 'val'))], ['x']) == {'c', 'd'}
    assert unseen(OWN, [table(('e', 'session 7', 'train'))], ['x']) == {'c', 'd'}
    # A group that was in test then.
    assert unseen(OWN, [table(('e', 'pair', 'test'))], ['x']) == {'c', 'd', 'e', 'f'}


def test_only_images_that_both_models_could_answer() -> None:
    own = pa.Table.from_pylist(
        [
            {'image_id': name, 'path': name, 'group': name, 'split': 'test', 'label': label}
            for name, label in (('a', 'x'), ('b', 'y'), ('c', None))
        ],
        image_table.SCHEMA,
    )
    for classes, expected in ((['x', 'y'], {'a', 'b'}), (['y', 'z'], {'b'}), ([], set())):
        assert unseen(own, [own], classes) == expected


def test_groups_that_share_an_image_are_one() -> None:
    own = table(
        ('x', 'g', 'test'), ('x', 'h', 'test'), ('y', 'h', 'test'), ('y', 'i', 'test'),
        ('z', 'i', 'test'), ('other', 'other', 'test'),
    )  # fmt: skip
    assert unseen(own, [table(('old', 'g', 'train'))], ['x']) == {'other'}
    assert unseen(own, [table(('z', 'z', 'train'))], ['x']) == {'other'}


def test_all_that_a_model_learned_from_counts() -> None:
    """Its settings may have been tuned on other images than it was trained on."""
    seen = [OWN, table(('c', 'c', 'train')), table(('d', 'd', 'val'), ('e', 'e', 'test'))]
    assert unseen(OWN, seen, ['x']) == {'e', 'f'}


def test_fifty_thousand_images_are_cheap(tmp_path: pathlib.Path) -> None:
    splits = ['train'] * 7 + ['val', 'test', 'test']
    names = [hashlib.sha256(str(i).encode()).hexdigest()[:32] for i in range(50_000)]
    own, other = (
        table(*((name, name, splits[(i + turn) % 10]) for i, name in enumerate(names)))
        for turn in (0, 1)
    )
    file = tmp_path / 'images.parquet'
    pq.write_table(own, file)
    assert file.stat().st_size < 6_000_000
    started = time.process_time()
    none = HeldOutImages()
    assert len(find(own, [own], [other], ['x'], none, none).unseen) == 5_000
    assert time.process_time() - started < 2


IMAGES = st.lists(
    st.tuples(
        st.sampled_from('abcdefgh'), st.sampled_from('stuvw'), st.sampled_from(('train', 'test'))
    ),
    max_size=8,
)


@hypothesis.given(IMAGES, IMAGES)
def test_a_chain_of_images_and_groups_leads_to_no_unseen_image(
    own: list[Image], other: list[Image]
) -> None:
    seen = {(kind, of[kind]) for of in other if of[2] == 'train' for kind in (0, 1)}
    test = [image for image in own if image[2] == 'test']
    for _ in test:
        for image in test:
            if seen & {(0, image[0]), (1, image[1])}:
                seen |= {(0, image[0]), (1, image[1])}
    expected = {image[0] for image in test if (0, image[0]) not in seen}
    assert unseen(table(*own), [table(*other)], ['x']) == expected


FOLDED = table(
    ('a', 'a', 'val'), ('b', 'b', 'train'), ('c', 'pair', 'train'), ('d', 'pair', 'train')
)
FOLDS = HeldOutImages(
    {'a': '0', 'b': '1', 'c': '2', 'd': '2'}, {'a': 'x', 'b': 'y', 'c': 'x', 'd': 'x'}
)
NONE = HeldOutImages()


def test_what_was_held_out_from_both_is_compared_by_the_answers_of_then() -> None:
    images = find(FOLDED, [FOLDED], [FOLDED], ['x'], FOLDS, FOLDS)
    assert images == ImagesToCompare(frozenset(), FOLDS.answers)


def test_new_images_of_folds_are_asked_of_a_baseline_that_has_not_seen_them() -> None:
    before = table(('a', 'a', 'val'), ('b', 'b', 'train'))
    held = HeldOutImages({'a': '4', 'b': '3'}, {'a': 'x', 'b': 'y'})
    images = find(FOLDED, [FOLDED], [before], ['x'], FOLDS, held)
    assert images == ImagesToCompare(frozenset({'c', 'd'}), {'a': 'x', 'b': 'y'})


def test_a_relative_in_another_fold_of_the_baseline_had_been_seen() -> None:
    held = HeldOutImages({**FOLDS.folds, 'd': '1'}, FOLDS.answers)
    images = find(FOLDED, [FOLDED], [FOLDED], ['x'], FOLDS, held)
    assert images.answered == {'a': 'x', 'b': 'y'}
    # Or where the relative was trained on, and is known by the name of the cluster alone.
    trained = table(('gone', 'pair', 'train'))
    images = find(FOLDED, [FOLDED], [FOLDED, trained], ['x'], FOLDS, FOLDS)
    assert images.answered == {'a': 'x', 'b': 'y'}


def test_folds_and_a_plain_split_are_compared_on_what_neither_has_seen() -> None:
    plain = table(
        ('a', 'a', 'test'), ('b', 'b', 'train'), ('c', 'pair', 'test'), ('d', 'pair', 'test')
    )
    # The candidate has folds: its held-out answers to the baseline's test images.
    images = find(FOLDED, [FOLDED], [plain], ['x'], FOLDS, NONE)
    assert images == ImagesToCompare(frozenset({'a', 'c', 'd'}), {})
    # The baseline has: its held-out answers to the candidate's test images.
    images = find(plain, [plain], [FOLDED], ['x'], NONE, FOLDS)
    assert images == ImagesToCompare(frozenset(), {'a': 'x', 'c': 'x', 'd': 'x'})


def test_val_of_a_plain_split_counts_where_its_choices_were_held_out() -> None:
    plain = table(('a', 'a', 'val'), ('b', 'b', 'train'), ('c', 'pair', 'test'))
    parts = HeldOutImages({'a': '3'}, {'a': 'y'})
    images = find(plain, [plain], [plain], ['x'], parts, parts)
    assert images == ImagesToCompare(frozenset({'c'}), {'a': 'y'})
