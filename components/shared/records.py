"""The result of a node as a dataclass, in a JSON file."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any, TypeVar

import pydantic

from thawline.components.shared.errors import DataError

T = TypeVar('T')


def write(record: Any, file: pathlib.Path, form: int | None = None) -> None:
    """Writes the record, a dataclass; folders above it are made.

    Args:
        record: any dataclass.
        file: to write.
        form: number of its format, where it has one.

    Raises:
        ValueError: a number in it is not finite.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    number = {} if form is None else {'format': form}
    values = {**number, **dataclasses.asdict(record)}
    text = json.dumps(values, ensure_ascii=False, allow_nan=False, indent=1)
    file.write_text(text + '\n', 'utf-8')


def read(kind: type[T], file: pathlib.Path, form: int | None = None) -> T:
    """Reads what `write` wrote; keys that the dataclass does not have are ignored.

    Raises:
        FileNotFoundError: there is none.
        DataError: it is damaged, or of another format.
    """
    return parse(kind, file.read_bytes(), str(file), form)


def parse(kind: type[T], text: str | bytes, source: str, form: int | None = None) -> T:
    """As `read`, from JSON; `source` says where it is from."""
    try:
        values = json.loads(text)
        if form is not None and (not isinstance(values, dict) or values.get('format') != form):
            raise ValueError(f'it is not of format {form}')
        return pydantic.TypeAdapter(kind).validate_python(values)
    except ValueError as error:
        raise DataError(
            f'{source} cannot be read ({_reason(error)}); write it again with: '
            'thawline run --no-cache'
        ) from error


def _reason(error: ValueError) -> str:
    if not isinstance(error, pydantic.ValidationError):
        return str(error)
    first = error.errors(include_url=False)[0]
    return ': '.join(filter(None, ('.'.join(map(str, first['loc'])), first['msg'])))
