"""The splits of an earlier ingestion, from the table of its images."""

from __future__ import annotations

import pathlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from thawline.components.ingestion import split_history
from thawline.components.ingestion.split_history import LOST, NONE, UNREAD, SplitHistory
from thawline.components.shared import image_table
from thawline.components.shared.errors import Unavailable
from thawline.components.shared.splits import SPLITS

ROWS = [('i1', 'p1', 'train'), ('i2', 'p1', 'train'), ('i3', 'i3', 'val')]

DIGEST = 'ecd397c6ab3391767fcb1bafca4da11a6a0d9e43391c34fb506c5205ae1ea751'


def table(rows: list[tuple[str, str, str]], label: str = 'a') -> pa.Table:
    return pa.Table.from_pylist(
        [
            {'image_id': image, 'path': f'{image}.jpg', 'group': group, 'split': s, 'label': label}
            for image, group, s in rows
        ],
        image_table.SCHEMA,
    )


def ingestion(root: pathlib.Path, number: int, images: pa.Table) -> str:
    """Leaves a table as an ingestion does; returns its digest."""
    folder = root / str(number)
    folder.mkdir(parents=True)
    pq.write_table(images, folder / 'images.parquet')
    return split_history.digest(images)


def test_digest_is_over_ids_groups_and_splits() -> None:
    digest = split_history.digest(table(ROWS))
    assert digest == split_history.digest(table(ROWS[::-1], 'b'))
    for row in (('i3', 'i3', 'test'), ('i4', 'i3', 'val'), ('i3', 'p1', 'val')):
        assert split_history.digest(table([*ROWS[:2], row])) != digest


def test_digest_is_the_same_in_every_version() -> None:
    """It is in cache keys, and images find the split that they keep by it."""
    assert split_history.digest(table(ROWS)) == DIGEST


def test_folds_are_history_too(tmp_path: pathlib.Path) -> None:
    folded = [{**row, 'fold': i} for i, row in enumerate(table(ROWS[1:]).to_pylist())]
    folded.append({**folded[0], 'image_id': 'i9', 'group': 'i9', 'split': 'test', 'fold': None})
    images = pa.Table.from_pylist(folded, image_table.SCHEMA)
    assert split_history.has_folds(images) and not split_history.has_folds(table(ROWS))
    digest = ingestion(tmp_path, 1, images)
    assert digest != split_history.digest(table([*ROWS[1:], ('i9', 'i9', 'test')]))
    history = split_history.find(tmp_path, digest)
    assert history is not None and history.folds == 2
    assert history.images == {'i2': '0', 'i3': '1', 'i9': 'test'}
    assert history.groups == {'p1': '0', 'i3': '1', 'i9': 'test'}


def test_splits_are_found_by_digest_wherever_the_folder_is(tmp_path: pathlib.Path) -> None:
    first = ingestion(tmp_path / 'here', 7, table(ROWS))
    ingestion(tmp_path / 'here', 12, table(ROWS[:1]))
    (tmp_path / 'here' / '20').mkdir()  # without a table, as of an old version
    (tmp_path / 'here').rename(tmp_path / 'there')
    history = split_history.find(tmp_path / 'there', first)
    assert history == SplitHistory(
        {'i1': 'train', 'i2': 'train', 'i3': 'val'}, {'p1': 'train', 'i3': 'val'}
    )
    assert split_history.find(tmp_path / 'there', NONE) == SplitHistory()
    (tmp_path / 'there' / '7' / 'images.parquet').unlink()
    for wanted in (first, LOST):
        assert split_history.find(tmp_path / 'there', wanted) is None
        assert split_history.find(tmp_path / 'nowhere', wanted) is None


def test_damaged_table_is_no_history(tmp_path: pathlib.Path) -> None:
    digest = ingestion(tmp_path, 1, table(ROWS))
    (tmp_path / '1' / 'images.parquet').write_bytes(b'PAR1 and nothing')
    assert split_history.find(tmp_path, digest) is None


def test_unreadable_history_is_refused(tmp_path: pathlib.Path) -> None:
    """Starting anew would move images only because of a permission."""
    with pytest.raises(Unavailable, match='change their splits'):
        split_history.find(tmp_path, f'{UNREAD}1')


def test_votes() -> None:
    history = SplitHistory(
        {'a': 'test', 'b': 'test', 'c': 'train', 'd': 'val'}, {'p': 'val', 'q': 'test'}
    )

    def split(*images: tuple[str, str]) -> str | None:
        return history.part_by_leader([(i, g, 'x') for i, g in images], SPLITS).get('x')

    assert split(('a', 'a'), ('b', 'b'), ('c', 'c')) == 'test'
    assert split(('a', 'a'), ('c', 'c')) == 'train'
    assert split(('a', 'a'), ('d', 'd')) == 'val'
    assert split(('new', 'q'), ('d', 'd')) == 'val'  # images count, not what a group once was
    assert split(('new', 'q'), ('newer', 'q'), ('newest', 'p')) == 'test'
    assert split(('new', 'new')) is None
