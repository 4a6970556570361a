"""Which images are queued, in which order."""

from __future__ import annotations

from typing import Any

from thawline.pipeline.labels import queue
from thawline.pipeline.labels.exchange import QueuedImage


def audited(image_id: str, split: str, suspect: bool = True) -> dict[str, Any]:
    return {
        'image_id': image_id, 'path': f'{image_id}.jpg', 'split': split, 'label': 'ants',
        'suggested': 'bees', 'suspect': suspect, 'votes': 9, 'voters': 10,
    }  # fmt: skip


AUDIT = [
    audited('e', 'train'), audited('d', 'test'), audited('c', 'train', False),
    audited('b', 'train'), audited('e', 'train'),
]  # fmt: skip
IMAGES = [
    {
        'image_id': str(i), 'path': f'{i}.jpg', 'split': 'val' if i % 2 else 'train',
        'label': 'ants', 'fold': None,
    }
    for i in range(200)
]  # fmt: skip


def ids(purpose: Any, count: int = 100, done: tuple[str, ...] = ()) -> list[str]:
    unlabelled = [QueuedImage(str(i), '', '', '', '', '') for i in range(30)]
    return [i.image_id for i in queue.choose(purpose, AUDIT, IMAGES, unlabelled, done, count)]


def test_suspects_in_the_order_of_the_audit() -> None:
    assert ids('all') == ['e', 'd', 'b']
    assert ids('train') == ['e', 'b']
    assert ids('all', count=1, done=('e',)) == ['d']


def test_val_is_a_random_sample_that_no_audit_chose() -> None:
    chosen = ids('val', 20)
    assert len(set(chosen)) == 20 and all(int(i) % 2 for i in chosen)
    assert chosen == ids('val', 20) and chosen[:5] == ids('val', 5)
    assert chosen != sorted(chosen, key=int)
    assert not set(chosen[:3]) & set(ids('val', 20, done=tuple(chosen[:3])))


def test_images_in_folds_are_trained_on_and_judged() -> None:
    folded = [{**row, 'fold': int(row['image_id']) % 5} for row in IMAGES[:50]]
    folded += [{**row, 'split': 'test'} for row in IMAGES[50:60]]
    doubted = [*AUDIT, audited('v', 'val')]

    def chosen(purpose: Any) -> set[str]:
        return {i.image_id for i in queue.choose(purpose, doubted, folded, [], (), 100)}

    assert chosen('val') == {str(i) for i in range(50)}
    assert chosen('test') == {str(i) for i in range(50, 60)}
    assert chosen('train') == {'e', 'b', 'v'}


def test_unlabelled_images_in_random_order() -> None:
    assert sorted(ids('unlabelled'), key=int) == [str(i) for i in range(30)]
    assert ids('unlabelled', 3) == ids('unlabelled')[:3] != ['0', '1', '2']
