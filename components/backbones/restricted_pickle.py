"""Reads tensors from PyTorch's legacy (pre-zip) checkpoint without PyTorch and without trust.

Format (torch/serialization.py, `_legacy_save`): five pickles in a row (magic number, protocol
1001, system facts, the state dict, the list of storage keys), then for each key the number of its
elements as int64 and its elements, little endian.

A pickle is a program. Python's unpickler can be kept from importing (`find_class`), but not from
allocating memory or time: a memo index of 2**31, or nested tuples as dictionary keys, are enough.
So the standard library only takes the program apart (`pickletools.genops`) and the few opcodes
that a state dict needs are interpreted here, each in bounded time and memory; everything else is
refused before it does anything.
"""

from __future__ import annotations

import io
import math
import pathlib
import pickletools
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from thawline.components.shared.errors import ConfigError, from_os_error

MAX_BYTES = 1 << 28  # no checkpoint read here comes near; keeps a wrong path from filling memory
_MAX_OPCODES = 1 << 18  # EfficientNet-Lite0's state dict has 10,696
_MAX_DIMENSIONS = 8
_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_DTYPES: dict[str, np.dtype[Any]] = {
    'torch FloatStorage': np.dtype('<f4'),
    'torch LongStorage': np.dtype('<i8'),
}


class _Refused(Exception):
    """The file is not what it should be; the message completes 'FILE cannot be read: '."""


class _Global(NamedTuple):
    name: str


class _Storage(NamedTuple):
    key: str
    dtype: np.dtype
    length: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Mark:
    pass


_MARK = _Mark()
_ORDERED_DICT = 'collections OrderedDict'
_REBUILD = 'torch._utils _rebuild_tensor_v2'
_ALLOWED = (_ORDERED_DICT, _REBUILD, *_DTYPES)


def read_tensors(path: pathlib.Path) -> dict[str, np.ndarray]:
    """The tensors of a legacy PyTorch state dict, float32 or int64, in PyTorch's axis order.

    The arrays are read-only views on the file's bytes.

    Raises:
        ConfigError: no such file, or it is not a plain state dict: truncated, too large, in
            another format, or wanting any global other than OrderedDict, the tensor rebuild
            function and float or long storages (named in the message; nothing of it is run).
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ConfigError(f'{path} cannot be read: {size} bytes, at most {MAX_BYTES} are.')
        data = path.read_bytes()
    except OSError as error:
        raise from_os_error(error, f'{path} cannot be read') from error
    try:
        return parse_tensors(data)
    except _Refused as refusal:
        raise ConfigError(
            f'{path} cannot be read as a legacy PyTorch state dict: {refusal}'
        ) from refusal


def parse_tensors(data: bytes) -> dict[str, np.ndarray]:
    """`read_tensors` for bytes in memory; raises a private error that `read_tensors` translates."""
    stream = io.BytesIO(data)
    if _run(stream) != _MAGIC:
        raise _Refused('it does not start with the magic number of that format.')
    if _run(stream) != _PROTOCOL:
        raise _Refused(f'its protocol is not {_PROTOCOL}.')
    facts = _run(stream)
    if not isinstance(facts, dict) or facts.get('little_endian') is not True:
        raise _Refused('it was not written on a little-endian machine.')
    state = _run(stream)
    keys = _run(stream)
    if not isinstance(state, dict) or not isinstance(keys, list):
        raise _Refused('it does not hold a dictionary of tensors.')
    tensors = {name: value for name, value in state.items() if isinstance(value, _Tensor)}
    if len(tensors) != len(state) or not tensors:
        raise _Refused('it does not hold a dictionary of tensors.')
    storages = _read_storages(data, stream.tell(), keys, tensors)
    return {name: _view(name, tensor, storages) for name, tensor in tensors.items()}


def _read_storages(
    data: bytes, position: int, keys: list[Any], tensors: dict[str, _Tensor]
) -> dict[str, np.ndarray]:
    """Storage key -> its elements [count], views on `data`."""
    declared: dict[str, _Storage] = {}
    for tensor in tensors.values():
        known = declared.setdefault(tensor.storage.key, tensor.storage)
        if known != tensor.storage:
            raise _Refused(f'storage {known.key!r} is declared in two ways.')
    if not all(isinstance(key, str) for key in keys) or sorted(keys) != sorted(declared):
        raise _Refused('the storages that follow are not those that its tensors use.')
    storages = {}
    for key in keys:
        storage = declared[key]
        size = storage.length * storage.dtype.itemsize
        if len(data) < position + 8 + size:
            raise _Refused(
                f'truncated: storage {key!r} needs {size} bytes, '
                f'{max(0, len(data) - position - 8)} are left.'
            )
        count = int.from_bytes(data[position : position + 8], 'little', signed=True)
        if count != storage.length:
            raise _Refused(f'storage {key!r} has {count} elements, {storage.length} were declared.')
        storages[key] = np.frombuffer(data, storage.dtype, storage.length, position + 8)
        position += 8 + size
    if position != len(data):
        raise _Refused(f'{len(data) - position} bytes are left over at its end.')
    return storages


def _view(name: str, tensor: _Tensor, storages: dict[str, np.ndarray]) -> np.ndarray:
    """The tensor as a strided view that stays inside its storage."""
    values = storages[tensor.storage.key]
    count = math.prod(tensor.shape)
    reach = tensor.offset + sum(
        (n - 1) * stride for n, stride in zip(tensor.shape, tensor.strides, strict=True)
    )
    if count == 0:
        raise _Refused(f'tensor {name!r} is empty.')
    if count > len(values) or reach >= len(values):
        raise _Refused(f'tensor {name!r} reaches beyond its storage of {len(values)} elements.')
    strides = tuple(stride * values.itemsize for stride in tensor.strides)
    return np.lib.stride_tricks.as_strided(
        values[tensor.offset :], tensor.shape, strides, writeable=False
    )


def _run(stream: io.BytesIO) -> Any:
    """Interprets one pickle; afterwards the stream stands behind it."""
    machine = _Machine()
    try:
        with warnings.catch_warnings():
            # genops warns of odd escapes in strings, which a damaged file is full of.
            warnings.simplefilter('ignore', DeprecationWarning)
            for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
                if opcode.name == 'STOP':
                    return machine.pop()
                if count >= _MAX_OPCODES:
                    raise _Refused(f'one of its pickles has more than {_MAX_OPCODES} opcodes.')
                machine.step(opcode.name, argument)
    except (ValueError, OverflowError) as error:
        # genops: unknown opcode, argument cut short, text that does not decode
        raise _Refused(f'it is damaged or no pickle ({error}).') from error
    raise _Refused('it ends inside a pickle.')


class _Machine:
    """The stack and memo of one pickle, with the opcodes that a state dict needs."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def step(self, opcode: str, argument: Any) -> None:
        if opcode in _CONSTANTS:
            self.stack.append(_CONSTANTS[opcode]())
        elif opcode in _PUSH_ARGUMENT:
            self.stack.append(argument)
        elif opcode in ('BINPUT', 'LONG_BINPUT'):
            self.memo[argument] = self.top()
        elif opcode in ('BINGET', 'LONG_BINGET'):
            if argument not in self.memo:
                raise _Refused(f'it refers to memo entry {argument}, which there is not.')
            self.stack.append(self.memo[argument])
        elif opcode == 'GLOBAL':
            if argument not in _ALLOWED:
                raise _Refused(
                    f'it wants {".".join(argument.split(" ", 1))}, which a state dict does not '
                    f'need and which could run code; nothing was run.'
                )
            self.stack.append(_Global(argument))
        elif opcode in _ACTIONS:
            _ACTIONS[opcode](self)
        elif opcode != 'PROTO':
            raise _Refused(f'it uses the pickle opcode {opcode}, which a state dict does not need.')

    def top(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise _Refused('its pickle takes more from the stack than it put there.')
        return self.stack[-1]

    def pop(self) -> Any:
        value = self.top()
        self.stack.pop()
        return value

    def pop_to_mark(self) -> list[Any]:
        for i in reversed(range(len(self.stack))):
            if self.stack[i] is _MARK:
                items = self.stack[i + 1 :]
                del self.stack[i:]
                return items
        raise _Refused('its pickle takes more from the stack than it put there.')

    def short_tuple(self, length: int) -> None:
        items = [self.pop() for _ in range(length)]
        self.stack.append(tuple(reversed(items)))

    def set_items(self, items: list[Any]) -> None:
        target = self.top()
        if not isinstance(target, dict) or len(items) % 2:
            raise _Refused('it sets items of something that is no dictionary.')
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Hashing a nested tuple takes time exponential in its depth.
            if not isinstance(key, str):
                raise _Refused(f'it has a dictionary key of type {type(key).__name__}.')
            target[key] = value

    def append(self, items: list[Any]) -> None:
        target = self.top()
        if not isinstance(target, list):
            raise _Refused('it appends to something that is no list.')
        target.extend(items)

    def set_item(self) -> None:
        value, key = self.pop(), self.pop()
        self.set_items([key, value])

    def reduce(self) -> None:
        arguments, function = self.pop(), self.pop()
        if function == _Global(_ORDERED_DICT) and arguments == ():
            self.stack.append({})
        elif function == _Global(_REBUILD) and isinstance(arguments, tuple):
            self.stack.append(_rebuild_tensor(arguments))
        else:
            raise _Refused('it calls something other than the tensor rebuild function.')

    def build(self) -> None:
        # The state of an OrderedDict is the modules' version numbers (`_metadata`): not needed.
        self.pop()
        if not isinstance(self.top(), dict):
            raise _Refused('it sets the state of something that is no dictionary.')

    def persistent_load(self) -> None:
        reference = self.pop()
        if not isinstance(reference, tuple) or len(reference) != 6 or reference[0] != 'storage':
            raise _Refused('it has a reference that is no storage.')
        _, kind, key, _, count, view = reference
        dtype = _DTYPES.get(kind.name) if type(kind) is _Global else None
        if dtype is None or not isinstance(key, str) or view is not None or not _is_size(count):
            raise _Refused('it has a storage that is neither float nor long, or a view of one.')
        self.stack.append(_Storage(key, dtype, count))


def _rebuild_tensor(arguments: tuple[Any, ...]) -> _Tensor:
    if len(arguments) != 6:
        raise _Refused(f'it rebuilds a tensor from {len(arguments)} values instead of 6.')
    storage, offset, shape, strides = arguments[:4]
    sound = (
        isinstance(storage, _Storage)
        and _is_size(offset)
        and isinstance(shape, tuple)
        and isinstance(strides, tuple)
        and len(shape) == len(strides) <= _MAX_DIMENSIONS
        and all(_is_size(n) for n in shape + strides)
    )
    if not sound:
        raise _Refused('it rebuilds a tensor from something other than storage, shape and strides.')
    return _Tensor(storage, offset, shape, strides)


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_BYTES


_PUSH_ARGUMENT = {'BININT', 'BININT1', 'BININT2', 'LONG1', 'BINUNICODE'}
_CONSTANTS: dict[str, Callable[[], Any]] = {
    'MARK': lambda: _MARK,
    'NONE': lambda: None,
    'NEWTRUE': lambda: True,
    'NEWFALSE': lambda: False,
    'EMPTY_DICT': dict,
    'EMPTY_LIST': list,
    'EMPTY_TUPLE': tuple,
}
_ACTIONS: dict[str, Callable[[_Machine], None]] = {
    'TUPLE': lambda m: m.stack.append(tuple(m.pop_to_mark())),
    'TUPLE1': lambda m: m.short_tuple(1),
    'TUPLE2': lambda m: m.short_tuple(2),
    'TUPLE3': lambda m: m.short_tuple(3),
    'SETITEM': lambda m: m.set_item(),
    'SETITEMS': lambda m: m.set_items(m.pop_to_mark()),
    'APPEND': lambda m: m.append([m.pop()]),
    'APPENDS': lambda m: m.append(m.pop_to_mark()),
    'REDUCE': lambda m: m.reduce(),
    'BUILD': lambda m: m.build(),
    'BINPERSID': lambda m: m.persistent_load(),
}
