"""A kept state is the last whole one of the same training, or none; reading never raises."""

from __future__ import annotations

import dataclasses
import io
import json
import logging
import pathlib
import tempfile
import zipfile

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from tests.components.training import tiny
from thawline.components.training import recipe, run_fn
from thawline.components.training.checkpoint import Checkpoint, CheckpointFile
from thawline.components.training.node_inputs import NodeInputs
from thawline.components.training.validation import ImageRoles


def a_state(value: float = 1.0) -> Checkpoint:
    arrays: dict[str, np.ndarray] = {
        'v0': np.full((2, 3), value, np.float32),
        'v1': np.array(7, np.int64),
    }
    return Checkpoint(arrays, {'history': [{'epoch': 1}], 'best_epoch': 1})


def assert_same(found: Checkpoint | None, expected: Checkpoint) -> None:
    assert found is not None
    assert found.meta == expected.meta
    assert found.arrays.keys() == expected.arrays.keys()
    for name, array in expected.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array, strict=True)


def saved_bytes() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        CheckpointFile(pathlib.Path(folder), 'key').save(a_state())
        return pathlib.Path(folder, 'state.npz').read_bytes()


WHOLE = saved_bytes()


def load_bytes(data: bytes) -> Checkpoint | None:
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, 'state.npz').write_bytes(data)
        return CheckpointFile(pathlib.Path(folder), 'key').load()


def test_round_trip_and_clear(tmp_path: pathlib.Path) -> None:
    kept = CheckpointFile(tmp_path / 'not' / 'yet', 'key')
    assert kept.load() is None
    kept.save(a_state(1.0))
    kept.save(a_state(2.0))
    assert_same(kept.load(), a_state(2.0))
    kept.clear()
    assert kept.load() is None
    assert list((tmp_path / 'not' / 'yet').iterdir()) == []
    kept.clear()


def test_state_of_another_training_is_not_used(tmp_path: pathlib.Path) -> None:
    CheckpointFile(tmp_path, 'one').save(a_state())
    assert CheckpointFile(tmp_path, 'other').load() is None
    assert_same(CheckpointFile(tmp_path, 'one').load(), a_state())


def test_kill_while_writing_leaves_the_old_state(tmp_path: pathlib.Path) -> None:
    kept = CheckpointFile(tmp_path, 'key')
    kept.save(a_state(1.0))
    (tmp_path / '.state.npz-0123abcd').write_bytes(WHOLE[: len(WHOLE) // 2])
    assert_same(kept.load(), a_state(1.0))
    kept.save(a_state(2.0))
    assert_same(kept.load(), a_state(2.0))
    assert [path.name for path in tmp_path.iterdir()] == ['state.npz']


@pytest.mark.parametrize('length', [0, 1, 4, 100, len(WHOLE) // 2, len(WHOLE) - 1])
def test_truncated_file_is_ignored_with_a_warning(
    length: int, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / 'state.npz').write_bytes(WHOLE[:length])
    with caplog.at_level(logging.WARNING):
        assert CheckpointFile(tmp_path, 'key').load() is None
    assert f'{tmp_path / "state.npz"} cannot be read' in caplog.text


@hypothesis.settings(max_examples=300)
@hypothesis.given(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=8))
def test_damaged_bytes_never_raise(place: int, patch: bytes) -> None:
    saved = load_bytes(WHOLE[:place] + patch + WHOLE[place + len(patch) :])
    # Bytes that nothing reads (time stamps) may change without harm; a changed value must not pass.
    if saved is not None:
        assert_same(saved, a_state())


@hypothesis.given(st.binary(max_size=200))
def test_foreign_bytes_never_raise(data: bytes) -> None:
    assert load_bytes(data) is None


@pytest.mark.parametrize('meta', ['[]', '"text"', '3', 'null', '{', '{}'])
def test_foreign_meta_never_raises(meta: str) -> None:
    file = io.BytesIO()
    np.savez(file, meta=np.array(meta))
    assert load_bytes(file.getvalue()) is None


def test_plain_array_in_place_of_the_archive_never_raises() -> None:
    file = io.BytesIO()
    np.save(file, np.arange(3))
    assert load_bytes(file.getvalue()) is None


class Bomb:
    """Leaves a trace when it is unpickled."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, ...]:
        return pathlib.Path.touch, (self._path,)


def test_pickle_in_the_file_is_not_run(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    trace = tmp_path / 'trace'
    np.savez(
        tmp_path / 'state.npz',
        meta=np.array(json.dumps({'key': 'key'})),
        v0=np.array([Bomb(trace)], object),
    )
    with caplog.at_level(logging.WARNING):
        assert CheckpointFile(tmp_path, 'key').load() is None
    assert 'cannot be read' in caplog.text
    assert not trace.exists()
    # The same file read without the guard would have run it: the test tests something.
    with np.load(tmp_path / 'state.npz', allow_pickle=True) as file:
        assert file['v0'].shape == (1,)
    assert trace.exists()


def test_file_is_a_plain_archive_of_arrays(tmp_path: pathlib.Path) -> None:
    CheckpointFile(tmp_path, 'key').save(a_state())
    with zipfile.ZipFile(tmp_path / 'state.npz') as archive:
        assert sorted(archive.namelist()) == ['meta.npy', 'v0.npy', 'v1.npy']


@pytest.mark.parametrize('column', ['values', 'labels', 'ids', 'confidence'])
@pytest.mark.parametrize('split', ['train', 'val'])
def test_key_changes_with_the_images_whatever_their_place(column: str, split: str) -> None:
    before = run_fn.checkpoint_key(node_inputs(), ROLES, CONFIG, None)
    assert run_fn.checkpoint_key(node_inputs(), ROLES, CONFIG, None) == before
    inputs = node_inputs()
    images = getattr(inputs.features, split)
    array = getattr(images, column).copy()
    array[1] = b'other' if column == 'ids' else array[1] * 0.5 + 2
    features = dataclasses.replace(
        inputs.features, **{split: dataclasses.replace(images, **{column: array})}
    )
    changed = dataclasses.replace(inputs, features=features)
    assert run_fn.checkpoint_key(changed, ROLES, CONFIG, None) != before


def test_key_changes_with_settings_code_libraries_weights_and_classes() -> None:
    inputs = node_inputs()
    other_weights = dataclasses.replace(inputs.backbone, weights_digest='other')
    found = {
        run_fn.checkpoint_key(inputs, ROLES, CONFIG, None),
        run_fn.checkpoint_key(inputs, ROLES, CONFIG, {'augmentation': 'none'}),
        run_fn.checkpoint_key(dataclasses.replace(inputs, classes=('b', 'a')), ROLES, CONFIG, None),
        run_fn.checkpoint_key(
            dataclasses.replace(inputs, backbone=other_weights), ROLES, CONFIG, None
        ),
        *(run_fn.checkpoint_key(inputs, ROLES, CONFIG | {name: 'other'}, None) for name in CONFIG),
        run_fn.checkpoint_key(inputs, ImageRoles({b'a': 'other'}, ROLES.folds), CONFIG, None),
        run_fn.checkpoint_key(inputs, ImageRoles(ROLES.clusters, {b'a': 1}), CONFIG, None),
    }
    assert len(found) == 6 + len(CONFIG)


ROLES = ImageRoles({b'a': 'a'}, {b'a': 0})
CONFIG = {'training': '{}', 'code_digest': 'c0de', 'library_versions': '{"keras": "3.15.1"}'}


def node_inputs() -> NodeInputs:
    images = tiny.images(6)
    features = recipe.FeatureSets('top', images, images)
    return NodeInputs(('a', 'b'), features, tiny.backbone())
