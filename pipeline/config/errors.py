"""Turns validation failures into messages that say what to change."""

from __future__ import annotations

import datetime
import difflib
import typing
from typing import Any

import pydantic

from thawline.pipeline.system import urls

_EXPECTED = {
    'int_parsing': 'a whole number',
    'int_type': 'a whole number',
    'int_from_float': 'a whole number',
    'float_parsing': 'a number',
    'float_type': 'a number',
    'bool_parsing': 'true or false',
    'bool_type': 'true or false',
    'string_type': 'text',
    'tuple_type': 'a list, like [a, b]',
    'model_type': 'a section of keys',
}

# Keys of notifications whose values are never secrets.
_PUBLIC = {'events', 'format', 'timeout', 'retry_for'}


def echo(value: Any) -> str:
    """A short form of a received value."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + '...'


def _echo_safely(path: tuple[Any, ...], value: Any) -> str:
    """A received value without secrets, which people put into notifications and metadata."""
    private = path[:1] in {('notifications',), ('metadata',)}
    number = isinstance(value, (int, float)) and not str(path[-1]).endswith('_env')
    if not private or _PUBLIC & set(path) or number:
        return echo(value)
    if isinstance(value, str):
        if 'webhook' in path:
            return repr(urls.public_part(value))
        return f'{len(value)} characters, not shown in case they are a secret'
    return f'a {type(value).__name__}'


def _section_at(model: type[pydantic.BaseModel], path: tuple[Any, ...]) -> type | None:
    """The model class that has the last key of `path`, if any."""
    current: Any = model
    for key in path[:-1]:
        if isinstance(key, int):
            continue  # an index of a list; the annotation names the class of its items
        fields = getattr(current, 'model_fields', None)
        if not fields or key not in fields:
            return None
        current = fields[key].annotation
        if not hasattr(current, 'model_fields'):
            current = next(
                (a for a in typing.get_args(current) if hasattr(a, 'model_fields')), current
            )
    return current if hasattr(current, 'model_fields') else None


def _line(problem: Any, model: type[pydantic.BaseModel]) -> str:
    kind, path = problem['type'], problem['loc']
    where = '.'.join(
        str(key) for key in path if not str(key).startswith(('constrained-', 'literal['))
    )
    received = f'received {_echo_safely(path, problem["input"])}'
    if kind == 'extra_forbidden':
        section = _section_at(model, path)
        known = list(section.model_fields) if section else []  # type: ignore[attr-defined]
        close = difflib.get_close_matches(str(path[-1]), known, n=1)
        hint = f'did you mean {close[0]}?' if close else f'known keys: {", ".join(known)}'
        return f'{where}: unknown key; {hint}'
    if kind == 'missing':
        return f'{where}: required, but missing'
    if kind == 'value_error':
        message = str(problem['ctx']['error'])
        return f'{where}: {message}' + (f' ({received})' if where and 'data' not in kind else '')
    if kind in _EXPECTED:
        # YAML reads yes, no, on, 1 and 2024-01-01 as something else.
        hint = ''
        if kind == 'string_type' and isinstance(
            problem['input'], (bool, int, float, datetime.date)
        ):
            hint = '; put it into quotation marks'
        return f'{where}: {received}, expected {_EXPECTED[kind]}{hint}'
    return f'{where}: {received}, {problem["msg"][0].lower()}{problem["msg"][1:]}'


def explain(error: pydantic.ValidationError, model: type[pydantic.BaseModel], name: str) -> str:
    """One line per problem: the key path, the value received and what is expected."""
    lines = []
    for problem in error.errors():
        line = _line(problem, model).removeprefix(': ')
        if line not in lines:
            lines.append(line)
    head = f'{name}: {len(lines)} problem{"s" if len(lines) > 1 else ""}'
    return '\n'.join([head, *(f'  {line}' for line in lines)])
