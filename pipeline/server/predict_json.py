"""TensorFlow Serving's JSON for predictions, to arrays and back.

Specified at https://www.tensorflow.org/tfx/serving/api_rest and, where that page is silent, by the
server's `json_tensor.cc`. Request: {"signature_name": NAME, "instances": ROWS}, or "inputs" with
columns; bytes are {"b64": "..."}. Answer: {"predictions": [...]} to rows, {"outputs": ...} to
columns; a single output has no name. Stricter than the original in one point: a number that does
not fit an integer type is refused; the original takes it modulo 256.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

DEFAULT_SIGNATURE = 'serving_default'
_B64 = 'b64'
_BYTES_SUFFIX = '_bytes'
_NAMES = {dict: 'Object', list: 'Array', str: 'String', int: 'Number', float: 'Number',
          bool: 'Boolean', type(None): 'Null'}  # fmt: skip
# Not `str.split`: of single letters it would make an object each.
_NO_SPACE = str.maketrans('', '', ' \t\r\n')
_ECHO = 60
_MOST_RANK = 8


class BadRequest(Exception):
    """The client's mistake; the message is for the client."""


@dataclasses.dataclass(frozen=True)
class InputSpec:
    """A tensor that a signature takes.

    Attributes:
        dtype: numpy's name of the type, or 'string'.
        shape: with None for a free dimension; None altogether for a free rank.
    """

    dtype: str
    shape: tuple[int | None, ...] | None

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether a tensor of this shape is accepted."""
        if self.shape is None:
            return True
        pairs = zip(self.shape, shape, strict=False)
        return len(self.shape) == len(shape) and all(own in (None, side) for own, side in pairs)

    def __str__(self) -> str:
        if self.shape is None:
            return self.dtype
        return f'{self.dtype} [{", ".join("?" if s is None else str(s) for s in self.shape)}]'


@dataclasses.dataclass(frozen=True)
class PredictRequest:
    """A parsed request.

    Attributes:
        signature: its name.
        by_row: whether the answer has one entry a row.
        inputs: arrays by name; strings are bytes in an array of objects.
    """

    signature: str
    by_row: bool
    inputs: dict[str, np.ndarray]


Signatures = Mapping[str, Mapping[str, InputSpec]]


def parse_request(body: bytes | bytearray, signatures: Signatures) -> PredictRequest:
    """Parses a request to one of `signatures`.

    Raises:
        BadRequest: it is not JSON, or does not fit the signature.
    """
    document = _parse_json(body)
    name = document.get('signature_name', '')
    if not isinstance(name, str):
        raise BadRequest(f"'signature_name' must be a string. Received: {_echo(name)}")
    name = name or DEFAULT_SIGNATURE
    if name not in signatures:
        raise BadRequest(
            f'Serving signature name: "{name[:_ECHO]}" not found in signature def; there are: '
            f'{", ".join(sorted(signatures))}'
        )
    specs = signatures[name]
    keys = [key for key in ('instances', 'inputs') if key in document]
    if not keys:
        raise BadRequest("Missing 'inputs' or 'instances' key")
    if len(keys) > 1:
        raise BadRequest("Not formatted correctly: expecting only one of 'inputs' and 'instances'")
    by_row = keys == ['instances']
    columns = (_columns_from_rows if by_row else _columns_from_object)(document[keys[0]], specs)
    return PredictRequest(name, by_row, {n: _tensor(n, v, specs[n]) for n, v in columns.items()})


def _parse_json(body: bytes | bytearray) -> dict[str, Any]:
    try:
        document = json.loads(body)
    # ValueError: not JSON, not UTF-8, or a number of thousands of digits.
    except (ValueError, RecursionError) as error:
        raise BadRequest(f'JSON Parse error: {str(error)[:200]}') from None
    if not isinstance(document, dict):
        raise BadRequest(f'JSON Value: {_echo(document)} Is not object')
    return document


def _echo(value: object) -> str:
    if isinstance(value, (dict, list)):
        return _NAMES[type(value)]
    text = json.dumps(value[: _ECHO + 1] if isinstance(value, str) else value)
    return text if len(text) <= _ECHO else f'{text[:_ECHO]}...'


def _is_bytes(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == {_B64} and isinstance(value[_B64], str)


def _is_named(value: object) -> bool:
    return isinstance(value, dict) and not _is_bytes(value)


def _columns_from_rows(rows: object, specs: Mapping[str, InputSpec]) -> dict[str, list[Any]]:
    """The values of each input, from a list of values or of objects."""
    if not isinstance(rows, list):
        raise BadRequest(f"Expecting 'instances' to be a list. Received: {_echo(rows)}")
    if not rows:
        raise BadRequest("No values in 'instances' array")
    if not _is_named(rows[0]):
        if len(specs) > 1:
            raise BadRequest(
                "'instances' is a plain list, but expecting a list of objects with the keys: "
                f'{", ".join(sorted(specs))}'
            )
        for i, row in enumerate(rows):
            if _is_named(row):
                raise BadRequest(f'Expecting value/list but got object at item {i} of input list')
        (name,) = specs
        return {name: rows}
    for i, row in enumerate(rows):
        if not _is_named(row):
            raise BadRequest(f'Expecting object but got a value or list at item {i} of input list')
        if row.keys() != specs.keys():
            raise BadRequest(
                f"Failed to process element: {i} of 'instances' list. It must only have keys: "
                f'{", ".join(sorted(specs))}'
            )
    return {name: [row[name] for row in rows] for name in specs}


def _columns_from_object(columns: object, specs: Mapping[str, InputSpec]) -> dict[str, Any]:
    """The value of each input, from one value or an object; further keys are ignored."""
    if not _is_named(columns):
        if len(specs) > 1:
            raise BadRequest(
                "'inputs' is a plain value/list, but expecting an object with the keys: "
                f'{", ".join(sorted(specs))}'
            )
        (name,) = specs
        return {name: columns}
    assert isinstance(columns, dict)
    for name in specs:
        if name not in columns:
            raise BadRequest(f"Missing named input: {name} in 'inputs' object")
    return {name: columns[name] for name in specs}


def _tensor(name: str, value: object, spec: InputSpec) -> np.ndarray:
    try:
        shape, leaves = _flatten(value)
        flat = (_bytes_array if spec.dtype == 'string' else _number_array)(leaves, spec.dtype)
    except BadRequest as error:
        raise BadRequest(f'{name}: {error}') from None
    if not spec.fits(shape):
        raise BadRequest(f'{name}: expecting {spec}, but got the shape {list(shape)}')
    return flat.reshape(shape)


def _flatten(value: object) -> tuple[tuple[int, ...], list[Any]]:
    """Shape and leaves of nested lists, level by level, at the speed of C."""
    shape: list[int] = []
    items: list[Any] = [value]
    while items and list in (kinds := set(map(type, items))):
        if len(kinds) > 1:
            raise BadRequest(f'lists and values mixed at level {len(shape)}')
        lengths = set(map(len, items))
        if len(lengths) > 1:
            raise BadRequest(
                f'lists of different lengths at level {len(shape)}: {min(lengths)} and '
                f'{max(lengths)}'
            )
        if len(shape) == _MOST_RANK:
            raise BadRequest(f'lists nested more than {_MOST_RANK} deep')
        shape.append(lengths.pop())
        items = list(chain.from_iterable(items))
    return tuple(shape), items


def _bytes_array(leaves: Sequence[Any], dtype: str) -> np.ndarray:
    array = np.empty(len(leaves), object)
    array[:] = [_to_bytes(leaf) for leaf in leaves]
    return array


def _to_bytes(leaf: object) -> bytes:
    if isinstance(leaf, str):
        try:
            return leaf.encode('utf-8')
        except UnicodeEncodeError:
            raise BadRequest('a string with half of a surrogate pair') from None
    if not isinstance(leaf, dict):
        raise BadRequest(f'{_echo(leaf)} is not of expected type: string')
    if not _is_bytes(leaf):
        raise BadRequest('an object that is not formatted correctly for base64 data')
    text = leaf[_B64].translate(_NO_SPACE).rstrip('=')
    try:
        return base64.b64decode(text + '=' * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest('Unable to base64 decode') from None


def _number_array(leaves: Sequence[Any], dtype: str) -> np.ndarray:
    kind = np.dtype(dtype)
    if kind.kind == 'b':
        allowed: set[type] = {bool}
    else:
        allowed = {int, float} if kind.kind == 'f' else {int}
    wrong = set(map(type, leaves)) - allowed
    if wrong:
        odd = next(leaf for leaf in leaves if type(leaf) in wrong)
        raise BadRequest(f'{_echo(odd)} Type: {_NAMES[type(odd)]} is not of expected type: {dtype}')
    if leaves and kind.kind in 'iu':
        bounds = np.iinfo(kind)
        for leaf in (min(leaves), max(leaves)):
            if not bounds.min <= leaf <= bounds.max:
                raise BadRequest(f'{_echo(leaf)} is outside of {dtype}')
    if kind.kind == 'f':
        _check_precision(leaves, kind)
    return np.array(leaves, kind)


def _check_precision(leaves: Sequence[Any], kind: np.dtype) -> None:
    """As in the original: whole numbers must be exact, others within the type's range."""
    exact, most = 2 ** (np.finfo(kind).nmant + 1) - 1, float(np.finfo(kind).max)
    for leaf in leaves:
        size = abs(leaf)
        if (size > exact) if type(leaf) is int else (most < size < float('inf')):
            raise BadRequest(f'{_echo(leaf)} cannot be {kind.name} without loss of precision')


def encode_outputs(outputs: Mapping[str, np.ndarray], by_row: bool) -> bytes:
    """The JSON of a model's outputs.

    Raises:
        BadRequest: rows were requested, and the outputs are not one a row.
    """
    values = {name: _to_json(name, value) for name, value in outputs.items()}
    single = len(values) == 1
    if not by_row:
        return _encode({'outputs': next(iter(values.values())) if single else values})
    sizes = {name: value.shape[0] if value.ndim else 0 for name, value in outputs.items()}
    if len(set(sizes.values())) != 1 or 0 in sizes.values():
        raise BadRequest(f'the outputs are not one a row; their batch sizes are {sizes}')
    if single:
        return _encode({'predictions': next(iter(values.values()))})
    rows = zip(*values.values(), strict=True)
    return _encode({'predictions': [dict(zip(values, row, strict=True)) for row in rows]})


def _encode(document: object) -> bytes:
    # NaN and Infinity are written as such, as the original does.
    text = json.dumps(document, ensure_ascii=False, separators=(',', ':'))
    return text.encode('utf-8', 'replace')


def _to_json(name: str, value: np.ndarray) -> Any:
    if value.dtype.kind == 'f':
        # The shortest digits that are this float32, instead of those of the nearest float64.
        return value.astype(str).astype(np.float64).tolist()
    if value.dtype.kind not in 'OS':
        return value.tolist()
    as_bytes = name.endswith(_BYTES_SUFFIX)
    texts = np.empty(value.size, object)
    texts[:] = [_string_to_json(text, as_bytes) for text in value.ravel().tolist()]
    return texts.reshape(value.shape).tolist()


def _string_to_json(value: bytes, as_bytes: bool) -> str | dict[str, str]:
    if as_bytes:
        return {_B64: base64.b64encode(value).decode()}
    return value.decode('utf-8', 'replace')
