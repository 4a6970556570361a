"""Interprets the pickle of a PyTorch state dict without running code.

A pickle is a program. Python's unpickler can be kept from importing (`find_class`), but not from
allocating memory or time: a memo index of 2**31, or nested tuples as dictionary keys, are enough.
So the standard library only takes the program apart (`pickletools.genops`) and the few opcodes
that a state dict needs are interpreted here, each in bounded time and memory; everything else is
refused before it does anything.
"""

from __future__ import annotations

import io
import pickletools
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

MAX_SIZE = 1 << 28  # of a tensor or offset; no checkpoint that is read here comes near
_MAX_OPCODES = 1 << 18  # EfficientNet-Lite0's state dict has 10,696
_MAX_DIMENSIONS = 8
_DTYPES: dict[str, np.dtype[Any]] = {
    'torch FloatStorage': np.dtype('<f4'),
    'torch LongStorage': np.dtype('<i8'),
}


class Malformed(Exception):
    """The file is not a plain state dict; the message completes 'FILE cannot be read: '."""


class _Global(NamedTuple):
    name: str


class Storage(NamedTuple):
    """Elements that tensors share."""

    key: str
    dtype: np.dtype
    length: int


class Tensor(NamedTuple):
    """A strided view of a storage, in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Mark:
    pass


_MARK = _Mark()
_ORDERED_DICT = 'collections OrderedDict'
_REBUILD = 'torch._utils _rebuild_tensor_v2'
_ALLOWED = (_ORDERED_DICT, _REBUILD, *_DTYPES)


def load(stream: io.BytesIO) -> Any:
    """Interprets one pickle, and leaves the stream behind it.

    Raises:
        Malformed: it is damaged, or needs more than a state dict does.
    """
    machine = _Machine()
    try:
        with warnings.catch_warnings():
            # genops warns of odd escapes in strings, of which a damaged file is full.
            warnings.simplefilter('ignore', DeprecationWarning)
            for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
                if opcode.name == 'STOP':
                    return machine.pop()
                if count >= _MAX_OPCODES:
                    raise Malformed(f'one of its pickles has more than {_MAX_OPCODES} opcodes.')
                machine.step(opcode.name, argument)
    except (ValueError, OverflowError) as error:
        # genops: unknown opcode, argument cut short, text that does not decode
        raise Malformed(f'it is damaged or no pickle ({error}).') from error
    raise Malformed('it ends inside a pickle.')


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
                raise Malformed(f'it refers to memo entry {argument}, which does not exist.')
            self.stack.append(self.memo[argument])
        elif opcode == 'GLOBAL':
            if argument not in _ALLOWED:
                raise Malformed(
                    f'it refers to {".".join(argument.split(" ", 1))}, which a state dict does not '
                    'need and which could run code; nothing was run.'
                )
            self.stack.append(_Global(argument))
        elif opcode in _ACTIONS:
            _ACTIONS[opcode](self)
        elif opcode != 'PROTO':
            raise Malformed(
                f'it uses the pickle opcode {opcode}, which a state dict does not need.'
            )

    def top(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise Malformed('its pickle takes more from the stack than is there.')
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
        raise Malformed('its pickle takes more from the stack than is there.')

    def short_tuple(self, length: int) -> None:
        items = [self.pop() for _ in range(length)]
        self.stack.append(tuple(reversed(items)))

    def set_items(self, items: list[Any]) -> None:
        target = self.top()
        if not isinstance(target, dict) or len(items) % 2:
            raise Malformed('it sets items of something other than a dictionary.')
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Hashing a nested tuple takes time exponential in its depth.
            if not isinstance(key, str):
                raise Malformed(f'it has a dictionary key of type {type(key).__name__}.')
            target[key] = value

    def append(self, items: list[Any]) -> None:
        target = self.top()
        if not isinstance(target, list):
            raise Malformed('it appends to something other than a list.')
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
            raise Malformed('it calls something other than the tensor rebuild function.')

    def build(self) -> None:
        # The state of an OrderedDict is the modules' version numbers (`_metadata`): not needed.
        self.pop()
        if not isinstance(self.top(), dict):
            raise Malformed('it sets the state of something other than a dictionary.')

    def persistent_load(self) -> None:
        reference = self.pop()
        if not isinstance(reference, tuple) or len(reference) != 6 or reference[0] != 'storage':
            raise Malformed('it has a reference to something other than a storage.')
        _, kind, key, _, count, view = reference
        dtype = _DTYPES.get(kind.name) if type(kind) is _Global else None
        if dtype is None or not isinstance(key, str) or view is not None or not _is_size(count):
            raise Malformed(
                'it has a storage of a type other than float and long, or a view of one.'
            )
        self.stack.append(Storage(key, dtype, count))


def _rebuild_tensor(arguments: tuple[Any, ...]) -> Tensor:
    if len(arguments) != 6:
        raise Malformed(f'it rebuilds a tensor from {len(arguments)} values instead of 6.')
    storage, offset, shape, strides = arguments[:4]
    sound = (
        isinstance(storage, Storage)
        and _is_size(offset)
        and isinstance(shape, tuple)
        and isinstance(strides, tuple)
        and len(shape) == len(strides) <= _MAX_DIMENSIONS
        and all(_is_size(n) for n in shape + strides)
    )
    if not sound:
        raise Malformed(
            'it rebuilds a tensor from something other than storage, shape and strides.'
        )
    return Tensor(storage, offset, shape, strides)


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_SIZE


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
