"""The content store: what was added is read by others, and what is damaged never is."""

from __future__ import annotations

import errno
import os
import pathlib
import pickle
import shutil
from collections.abc import Mapping

import pytest

from thawline.components.shared import content_store, store_shards
from thawline.components.shared.content_store import Namespace, Records, Store
from thawline.components.shared.store_shards import KEY_BYTES

LIMIT = 10**9


def key(number: int) -> bytes:
    """Also with zeros at both ends, which NumPy drops from strings."""
    return b'\0' + number.to_bytes(KEY_BYTES - 2, 'big') + b'\0'


def namespace(
    folder: pathlib.Path, kind: str = 'images', limit: int = LIMIT, **settings: object
) -> Namespace:
    return Store(folder, limit).namespace(kind, settings)


def add(where: Namespace, values: Mapping[int, bytes]) -> Records:
    records = Records(where)
    for number, value in values.items():
        records.put(key(number), value)
    records.publish()
    records.close()
    return records


def read(where: Namespace, numbers: range) -> dict[int, bytes | None]:
    records = Records(where)
    values = {number: records.get(key(number)) for number in numbers}
    records.close()
    return values


def shards(where: Namespace) -> list[pathlib.Path]:
    return sorted(where.folder.glob('*.shard'))


def test_records_of_several_shards_are_read_by_others(tmp_path: pathlib.Path) -> None:
    where = namespace(tmp_path)
    values = {n: bytes([n]) * n for n in range(200)}  # the first is empty
    for start in range(0, 200, 50):
        part = {n: values[n] for n in range(start, start + 50)}
        assert add(pickle.loads(pickle.dumps(where)), part).added == 50
    assert len(shards(where)) == 4
    assert read(where, range(202)) == {**values, 200: None, 201: None}


def test_many_keys_are_looked_up_at_once(tmp_path: pathlib.Path) -> None:
    where = namespace(tmp_path)
    assert Records(None).knows([key(1)]).tolist() == [False]
    assert Records(where).knows([key(1)]).tolist() == [False]  # there is no shard
    add(where, {1: b'', 3: b''})
    add(where, {7: b''})
    records = Records(where)
    keys = [key(number) for number in (2, 1, 7, 3, 9, 1)]
    assert records.knows(keys).tolist() == [False, True, True, True, False, True]
    assert records.knows([]).tolist() == [] and records.read == 4
    records.close()


def test_other_settings_and_kinds_are_other_records(tmp_path: pathlib.Path) -> None:
    add(namespace(tmp_path, size=1), {1: b'one'})
    assert read(namespace(tmp_path, size=1), range(1, 2)) == {1: b'one'}
    for other in (namespace(tmp_path, size=2), namespace(tmp_path, 'pixels', size=1)):
        assert read(other, range(1, 2)) == {1: None}


def test_what_is_not_published_is_not_there(tmp_path: pathlib.Path) -> None:
    where = namespace(tmp_path)
    records = Records(where)
    records.put(key(1), b'one')
    assert read(where, range(1, 2)) == {1: None}
    assert [path.suffix for path in where.folder.iterdir()].count('.draft') == 1
    records.close()  # as a bundle that failed
    assert not list(where.folder.glob('*.draft')) and not shards(where)


@pytest.mark.parametrize('cut', (1, 8, 28, 40, 200))
def test_a_shard_that_is_cut_is_deleted(tmp_path: pathlib.Path, cut: int) -> None:
    where = namespace(tmp_path)
    add(where, {n: b'value' * 9 for n in range(9)})
    (shard,) = shards(where)
    os.truncate(shard, shard.stat().st_size - cut)
    assert set(read(where, range(9)).values()) == {None}
    assert not shards(where)


def test_any_changed_byte_is_noticed(tmp_path: pathlib.Path) -> None:
    where = namespace(tmp_path)
    values = {n: bytes([n] * 5) for n in range(4)}
    add(where, values)
    (shard,) = shards(where)
    sound = shard.read_bytes()
    for place in range(len(sound)):
        changed = bytearray(sound)
        changed[place] ^= 0x40
        shard.write_bytes(changed)
        found = read(where, range(4))
        assert all(value in (None, values[n]) for n, value in found.items()), place
        assert None in found.values() and not shards(where), place
    add(where, values)
    assert read(where, range(4)) == values


def test_an_open_reader_outlives_the_folder(tmp_path: pathlib.Path) -> None:
    where = namespace(tmp_path)
    add(where, {1: b'one'})
    records = Records(where)
    shutil.rmtree(tmp_path)
    assert records.get(key(1)) == b'one'
    records.put(key(2), b'two')
    records.publish()
    assert not records.problem and read(where, range(1, 3)) == {1: None, 2: b'two'}


def test_a_full_disk_ends_adding_and_nothing_else(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = namespace(tmp_path)
    add(where, {1: b'one'})

    def fail(writer: object, *_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for step in ('add', 'publish', '__init__'):
        with monkeypatch.context() as patch:
            patch.setattr(store_shards.ShardWriter, step, fail)
            records = Records(where)
            records.put(key(2), b'two')
            records.publish()
            records.put(key(3), b'three')
            assert records.problem == 'No space left on device'
            assert records.get(key(1)) == b'one' and records.added == 0
            records.close()
    assert not list(where.folder.glob('*.draft'))


def test_a_folder_that_is_a_file_is_no_store(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'store').write_text('')
    records = add(namespace(tmp_path / 'store'), {1: b'one'})
    assert records.problem and records.added == 0


def test_the_limit_holds_and_what_was_not_used_longest_goes(tmp_path: pathlib.Path) -> None:
    limit = 2**28 + 30_000
    old, older = (namespace(tmp_path, limit=limit, size=n) for n in (1, 2))
    for age, where in enumerate((old, older), 1):
        add(where, {n: b'x' * 10_000 for n in range(2)})
        os.utime(where.folder, (0, 1_000_000 - age))
    pixels = namespace(tmp_path, 'pixels', limit=limit)
    add(pixels, {n: b'x' * 10_000 for n in range(2)})
    assert old.folder.is_dir() and not older.folder.is_dir()
    records = add(namespace(tmp_path, 'pixels', 60_000), {n: b'y' * 10_000 for n in range(10, 99)})
    assert 0 < records.added < 3 and 'data.store.gigabytes' in records.problem
    assert content_store.size_of(tmp_path) < 60_000


def test_many_small_shards_become_one(tmp_path: pathlib.Path) -> None:
    where = namespace(tmp_path)
    for n in range(70):
        add(where, {n: bytes([n])})
    add(where, {3: bytes([3])})  # another run had it, too
    reader = Records(where)
    draft = where.folder / 'killed.shard.draft'
    draft.write_text('')
    os.utime(draft, (0, 0))
    content_store.tidy(where)
    assert len(shards(where)) == 1 and not draft.exists()
    assert read(where, range(71)) == {**{n: bytes([n]) for n in range(70)}, 70: None}
    assert reader.get(key(69)) == bytes([69])


def test_a_store_is_lent_for_a_while() -> None:
    store = Store(pathlib.Path('/nowhere'), LIMIT)
    assert content_store.lent_namespace('images', {}) is None
    with content_store.lend(store):
        lent = content_store.lent_namespace('images', {})
        assert lent is not None and lent.folder.parent == store.folder
        with content_store.lend(None):
            assert content_store.lent_namespace('images', {}) is None
    assert content_store.lent_namespace('images', {}) is None


def test_two_runs_at_once_add_and_read(tmp_path: pathlib.Path) -> None:
    where = namespace(tmp_path)
    one, other = Records(where), Records(where)
    for n in range(20):
        one.put(key(n), bytes([n]))
        other.put(key(n + 10), bytes([n + 10]))
    for records in (one, other):
        records.publish()
        assert records.get(key(0)) is None  # what was there when it began
        records.close()
    assert read(where, range(30)) == {n: bytes([n]) for n in range(30)}
