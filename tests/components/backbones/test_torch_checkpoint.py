"""The reader of legacy PyTorch checkpoints: what it reads, what it refuses, and at what cost."""

from __future__ import annotations

import collections
import os
import pathlib
import pickle
import struct
import time
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thawline.components.backbones import package_weights, torch_checkpoint
from thawline.components.shared.errors import ConfigError

MAGIC = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)
PROTOCOL = pickle.dumps(1001, protocol=2)
FACTS = pickle.dumps(
    {'protocol_version': 1001, 'little_endian': True, 'type_sizes': {'short': 2}}, protocol=2
)
HEADER = MAGIC + PROTOCOL + FACTS


def text(value: str) -> bytes:
    return b'X' + struct.pack('<I', len(value.encode())) + value.encode()


def number(value: int) -> bytes:
    return b'J' + struct.pack('<i', value)


def numbers(values: tuple[int, ...]) -> bytes:
    return b'(' + b''.join(number(value) for value in values) + b't'


def tensor(
    key: str,
    count: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    offset: int = 0,
    kind: str = 'torch\nFloatStorage',
) -> bytes:
    """Opcodes that rebuild one tensor, as PyTorch writes them."""
    storage = b'(' + text('storage') + f'c{kind}\n'.encode() + text(key) + text('cpu')
    storage += number(count) + b'Nt' + b'Q'
    hooks = b'ccollections\nOrderedDict\n)R'
    arguments = b'(' + storage + number(offset) + numbers(shape) + numbers(strides) + b'\x89'
    return b'ctorch._utils\n_rebuild_tensor_v2\n' + arguments + hooks + b'tR'


def state_dict(items: dict[str, bytes]) -> bytes:
    body = b''.join(text(name) + value for name, value in items.items())
    return b'\x80\x02ccollections\nOrderedDict\n)R(' + body + b'u.'


def checkpoint(items: dict[str, bytes], storages: dict[str, np.ndarray]) -> bytes:
    data = b''.join(
        struct.pack('<q', len(values)) + values.tobytes() for values in storages.values()
    )
    return HEADER + state_dict(items) + pickle.dumps(list(storages), protocol=2) + data


def small() -> bytes:
    return checkpoint(
        {
            'weight': tensor('a', 6, (2, 3), (1, 2)),
            'tail': tensor('a', 6, (2,), (1,), offset=4),
            'steps': tensor('b', 1, (), (), kind='torch\nLongStorage'),
        },
        {'a': np.arange(6, dtype='<f4'), 'b': np.array([1 << 40], dtype='<i8')},
    )


def read(folder: pathlib.Path, data: bytes) -> dict[str, np.ndarray]:
    path = folder / 'file.pth'
    path.write_bytes(data)
    return torch_checkpoint.read_tensors(path)


def test_reads_strides_offsets_and_both_types(tmp_path: pathlib.Path) -> None:
    tensors = read(tmp_path, small())
    assert list(tensors) == ['weight', 'tail', 'steps']
    np.testing.assert_array_equal(tensors['weight'], [[0, 2, 4], [1, 3, 5]])
    np.testing.assert_array_equal(tensors['tail'], [4, 5])
    assert tensors['steps'] == 1 << 40 and tensors['steps'].shape == ()
    assert tensors['weight'].dtype == np.float32
    with pytest.raises(ValueError, match='read-only'):
        tensors['weight'][0, 0] = 1


def test_ignores_the_module_versions_that_pytorch_adds(tmp_path: pathlib.Path) -> None:
    state = b'\x80\x02ccollections\nOrderedDict\n)R(' + text('w') + tensor('a', 1, (1,), (1,))
    state += b'u}' + text('_metadata') + b'ccollections\nOrderedDict\n)Rsb.'
    data = HEADER + state + pickle.dumps(['a'], protocol=2)
    data += struct.pack('<q', 1) + np.ones(1, '<f4').tobytes()
    np.testing.assert_array_equal(read(tmp_path, data)['w'], [1])


class _Evil:
    def __init__(self, target: pathlib.Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f'touch {self.target}',)


@pytest.mark.parametrize('header', [b'', HEADER])
@pytest.mark.parametrize('protocol', [0, 1, 2, 3, 4, 5])
def test_code_in_a_pickle_is_named_and_not_run(
    tmp_path: pathlib.Path, header: bytes, protocol: int
) -> None:
    target = tmp_path / 'it_ran'
    evil = pickle.dumps(collections.OrderedDict(w=_Evil(target)), protocol=protocol)
    with pytest.raises(ConfigError, match='file.pth') as caught:
        read(tmp_path, header + evil)
    if protocol in (1, 2, 3):
        assert 'collections.OrderedDict' not in str(caught.value)
        assert f'{os.system.__module__}.system' in str(caught.value)
    assert not target.exists()


@pytest.mark.parametrize(
    'name', ['builtins eval', 'os system', 'numpy load', 'torch HalfStorage', 'torch.storage _load']
)
def test_every_other_global_is_refused_by_name(tmp_path: pathlib.Path, name: str) -> None:
    state = b'\x80\x02c' + name.replace(' ', '\n').encode() + b'\n.'
    with pytest.raises(ConfigError, match=name.replace(' ', '.')):
        read(tmp_path, HEADER + state)


@pytest.mark.parametrize(
    ('items', 'storages', 'message'),
    [
        ({'w': tensor('a', 6, (7,), (1,))}, {'a': 6}, 'beyond its storage of 6'),
        ({'w': tensor('a', 6, (2,), (5,), offset=1)}, {'a': 6}, 'beyond its storage'),
        ({'w': tensor('a', 6, (2,), (1,), offset=6)}, {'a': 6}, 'beyond its storage'),
        ({'w': tensor('a', 6, (1 << 20, 1 << 20), (0, 0))}, {'a': 6}, 'beyond its storage'),
        ({'w': tensor('a', 6, (0,), (1,))}, {'a': 6}, 'is empty'),
        ({'w': tensor('a', 6, (-1,), (1,))}, {'a': 6}, 'something other than storage'),
        ({'w': tensor('a', 6, (2, 3), (1,))}, {'a': 6}, 'something other than storage'),
        ({'w': tensor('a', 6, (1,) * 9, (1,) * 9)}, {'a': 6}, 'something other than storage'),
        ({'w': tensor('a', 5, (2,), (1,))}, {'a': 6}, '6 elements, 5 were declared'),
        ({'w': tensor('a', 1 << 27, (2,), (1,))}, {'a': 6}, 'truncated'),
        ({'w': tensor('b', 6, (2,), (1,))}, {'a': 6}, 'not those that its tensors use'),
        (
            {'v': tensor('a', 6, (2,), (1,)), 'w': tensor('a', 5, (2,), (1,))},
            {'a': 6},
            'declared in two ways',
        ),
        ({'w': number(1)}, {}, 'dictionary of tensors'),
        ({}, {}, 'dictionary of tensors'),
    ],
)
def test_tensors_that_do_not_fit_are_refused(
    tmp_path: pathlib.Path, items: dict[str, bytes], storages: dict[str, int], message: str
) -> None:
    values = {key: np.zeros(count, '<f4') for key, count in storages.items()}
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, checkpoint(items, values))


HOSTILE = {
    'memo index': b'\x80\x02Nr' + struct.pack('<I', 2**31 - 1) + b'.',
    'long text': b'\x80\x02X' + struct.pack('<I', 2**32 - 1) + b'x.',
    'long bytes': b'\x80\x04\x8e' + struct.pack('<Q', 2**62) + b'x.',
    'long number': b'\x80\x02\x8b' + struct.pack('<i', 2**31 - 1) + b'x.',
    'frame': b'\x80\x04\x95' + struct.pack('<Q', 2**62) + b'N.',
    'digits': b'I' + b'9' * 100_000 + b'\n.',
    'nested key': b'}(N' + b''.join(b'q\x00h\x00h\x00\x86' for _ in range(100)) + b'Nu.',
    'marks': b'(' * 100_000 + b'.',
    'deep tuples': b')' + b'\x85' * 100_000 + b'.',
    'endless': b'N' * 300_000 + b'.',
}


@pytest.mark.parametrize('attack', HOSTILE)
def test_hostile_pickle_costs_little_time_and_memory(tmp_path: pathlib.Path, attack: str) -> None:
    path = tmp_path / 'file.pth'
    path.write_bytes(HEADER + HOSTILE[attack])
    tracemalloc.start()
    started = time.monotonic()
    try:
        with pytest.raises(ConfigError, match=str(path)):
            torch_checkpoint.read_tensors(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 200e6
    assert time.monotonic() - started < 30


def test_every_truncation_is_refused(tmp_path: pathlib.Path) -> None:
    data = small()
    for length in range(len(data)):
        with pytest.raises(ConfigError, match='file.pth'):
            read(tmp_path, data[:length])


def test_bytes_after_the_end_are_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match='1 bytes are left over'):
        read(tmp_path, small() + b'\0')


def test_zip_format_and_missing_file_are_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match='damaged or no pickle'):
        read(tmp_path, b'PK\x03\x04' + bytes(100))
    with pytest.raises(ConfigError, match='none.pth cannot be read: No such file'):
        torch_checkpoint.read_tensors(tmp_path / 'none.pth')
    with pytest.raises(ConfigError, match='directory'):
        torch_checkpoint.read_tensors(tmp_path)


def test_a_huge_file_is_refused_unread(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'huge.pth'
    with path.open('wb') as file:
        file.truncate(torch_checkpoint.MAX_BYTES + 1)  # sparse: takes no space
    with pytest.raises(ConfigError, match=f'{torch_checkpoint.MAX_BYTES + 1} bytes'):
        torch_checkpoint.read_tensors(path)


def mutations() -> st.SearchStrategy[bytes]:
    """The small checkpoint with a few stretches replaced."""

    def apply(edits: list[tuple[int, int, bytes]]) -> bytes:
        data = small()
        for start, length, new in edits:
            start %= len(data) + 1
            data = data[:start] + new + data[start + length :]
        return data

    edit = st.tuples(st.integers(0, 10_000), st.integers(0, 4), st.binary(max_size=6))
    return st.lists(edit, min_size=1, max_size=4).map(apply)


@settings(
    max_examples=300, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.one_of(st.binary(max_size=200), st.binary(max_size=200).map(HEADER.__add__)))
def test_any_bytes_are_refused_or_read(tmp_path: pathlib.Path, data: bytes) -> None:
    check_refused_or_read(tmp_path, data)


@settings(
    max_examples=400, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=mutations())
def test_any_mutation_is_refused_or_read(tmp_path: pathlib.Path, data: bytes) -> None:
    check_refused_or_read(tmp_path, data)


def check_refused_or_read(folder: pathlib.Path, data: bytes) -> None:
    try:
        tensors = read(folder, data)
    except ConfigError as error:
        assert 'file.pth' in str(error)
    else:
        assert all(value.nbytes <= len(data) for value in tensors.values())
        assert all(isinstance(float(value.sum()), float) for value in tensors.values())


def test_the_packaged_file_is_read_whole() -> None:
    path = package_weights.verified_path()
    tensors = torch_checkpoint.read_tensors(path)
    assert tensors['_conv_stem.weight'].shape == (32, 3, 3, 3)
    assert tensors['_fc.weight'].shape == (1000, 1280)
    parameters = [v for name, v in tensors.items() if v.dtype == np.float32]
    # 4,652,008 trainable parameters (as published) and 42,016 statistics of BatchNormalization
    assert sum(v.size for v in parameters) == 4_652_008 + 42_016
    assert all(np.isfinite(v).all() for v in parameters)


def test_a_changed_packaged_file_is_refused(tmp_path: pathlib.Path) -> None:
    data = bytearray(package_weights.verified_path().read_bytes())
    data[-1] ^= 1
    changed = tmp_path / package_weights.FILE_NAME
    changed.write_bytes(data)
    with pytest.raises(ConfigError, match='is not the published file: its sha256'):
        package_weights.check(changed)
