"""Reads tensors from PyTorch's legacy (pre-zip) checkpoint without PyTorch and without trust.

Format (torch/serialization.py, `_legacy_save`): five pickles in a row (magic number, protocol
1001, system facts, the state dict, the list of storage keys), then for each key the number of its
elements as int64 and its elements, little endian.
"""

from __future__ import annotations

import io
import math
import pathlib
from typing import Any

import numpy as np

from thawline.components.backbones import restricted_pickle
from thawline.components.backbones.restricted_pickle import Malformed, Storage, Tensor
from thawline.components.shared.errors import ConfigError, from_os_error

MAX_BYTES = restricted_pickle.MAX_SIZE  # keeps a wrong path from filling memory
_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001


def read_tensors(path: pathlib.Path) -> dict[str, np.ndarray]:
    """The tensors of a legacy PyTorch state dict, float32 or int64, in PyTorch's axis order.

    The arrays are read-only views on the file's bytes.

    Raises:
        ConfigError: no such file, or it is not a plain state dict: truncated, too large, in
            another format, or it refers to a global other than OrderedDict, the tensor rebuild
            function and float or long storages (the message names it; nothing of it is run).
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ConfigError(f'{path} cannot be read: it has {size} bytes, more than {MAX_BYTES}.')
        data = path.read_bytes()
    except OSError as error:
        raise from_os_error(error, f'{path} cannot be read') from error
    try:
        return _parse_tensors(data)
    except Malformed as error:
        raise ConfigError(
            f'{path} cannot be read as a legacy PyTorch state dict: {error}'
        ) from error


def _parse_tensors(data: bytes) -> dict[str, np.ndarray]:
    stream = io.BytesIO(data)
    if restricted_pickle.load(stream) != _MAGIC:
        raise Malformed('it does not start with the magic number of that format.')
    if restricted_pickle.load(stream) != _PROTOCOL:
        raise Malformed(f'its protocol is not {_PROTOCOL}.')
    facts = restricted_pickle.load(stream)
    if not isinstance(facts, dict) or facts.get('little_endian') is not True:
        raise Malformed('it was not written on a little-endian machine.')
    state = restricted_pickle.load(stream)
    keys = restricted_pickle.load(stream)
    if not isinstance(state, dict) or not isinstance(keys, list):
        raise Malformed('it does not hold a dictionary of tensors.')
    tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    if len(tensors) != len(state) or not tensors:
        raise Malformed('it does not hold a dictionary of tensors.')
    storages = _read_storages(data, stream.tell(), keys, tensors)
    return {name: _view(name, tensor, storages) for name, tensor in tensors.items()}


def _read_storages(
    data: bytes, position: int, keys: list[Any], tensors: dict[str, Tensor]
) -> dict[str, np.ndarray]:
    """Storage key -> its elements [count], views on `data`."""
    declared: dict[str, Storage] = {}
    for tensor in tensors.values():
        known = declared.setdefault(tensor.storage.key, tensor.storage)
        if known != tensor.storage:
            raise Malformed(f'storage {known.key!r} is declared in two ways.')
    if not all(isinstance(key, str) for key in keys) or sorted(keys) != sorted(declared):
        raise Malformed('the storages that follow are not those that its tensors use.')
    storages = {}
    for key in keys:
        storage = declared[key]
        size = storage.length * storage.dtype.itemsize
        if len(data) < position + 8 + size:
            raise Malformed(
                f'truncated: storage {key!r} needs {size} bytes, '
                f'{max(0, len(data) - position - 8)} are left.'
            )
        count = int.from_bytes(data[position : position + 8], 'little', signed=True)
        if count != storage.length:
            raise Malformed(
                f'storage {key!r} has {count} elements, {storage.length} were declared.'
            )
        storages[key] = np.frombuffer(data, storage.dtype, storage.length, position + 8)
        position += 8 + size
    if position != len(data):
        raise Malformed(f'{len(data) - position} bytes are left over at its end.')
    return storages


def _view(name: str, tensor: Tensor, storages: dict[str, np.ndarray]) -> np.ndarray:
    """The tensor as a strided view that stays inside its storage."""
    values = storages[tensor.storage.key]
    count = math.prod(tensor.shape)
    reach = tensor.offset + sum(
        (n - 1) * stride for n, stride in zip(tensor.shape, tensor.strides, strict=True)
    )
    if count == 0:
        raise Malformed(f'tensor {name!r} is empty.')
    if count > len(values) or reach >= len(values):
        raise Malformed(f'tensor {name!r} reaches beyond its storage of {len(values)} elements.')
    strides = tuple(stride * values.itemsize for stride in tensor.strides)
    return np.lib.stride_tricks.as_strided(
        values[tensor.offset :], tensor.shape, strides, writeable=False
    )
