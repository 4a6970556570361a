"""What a node found, as one JSON file of a dataclass with the number of its format."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any, TypeVar

import pydantic

T = TypeVar('T')


def write(record: Any, file: pathlib.Path, form: int) -> None:
    """Writes the record, a dataclass; folders above it are made.

    Raises:
        ValueError: a number in it is not finite.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    values = {'format': form, **dataclasses.asdict(record)}
    text = json.dumps(values, ensure_ascii=False, allow_nan=False, indent=1)
    file.write_text(text + '\n', 'utf-8')


def read(kind: type[T], file: pathlib.Path, form: int) -> T:
    """Reads what `write` wrote.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is of another format.
    """
    values: dict[str, Any] = json.loads(file.read_text('utf-8'))
    if values.pop('format', None) != form:
        raise ValueError(f'{file} is not of format {form}')
    return pydantic.TypeAdapter(kind).validate_python(values)
