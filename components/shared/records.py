"""The base of what nodes leave for readers: a dataclass, stored as one JSON file."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import ClassVar, Self

import pydantic

from thawline.components.shared.errors import DataError

Folder = str | pathlib.Path


@dataclasses.dataclass(frozen=True)
class Record:
    """A dataclass with a file in the folder of an artifact.

    FILE: name of the file.
    FORMAT: number of its format, where it has one.
    """

    FILE: ClassVar[str]
    FORMAT: ClassVar[int | None] = None

    def to_json(self, indent: int | None = 1) -> str:
        """The text of the file.

        Raises:
            ValueError: a number is not finite.
        """
        number = {} if self.FORMAT is None else {'format': self.FORMAT}
        values = {**number, **dataclasses.asdict(self)}
        return json.dumps(values, ensure_ascii=False, allow_nan=False, indent=indent)

    def write(self, folder: Folder) -> None:
        """Writes the file; folders above it are made."""
        file = pathlib.Path(folder, self.FILE)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.to_json() + '\n', 'utf-8')

    @classmethod
    def read(cls, folder: Folder) -> Self:
        """Reads the file; keys that the dataclass does not have are ignored.

        Raises:
            FileNotFoundError: there is none.
            DataError: it is damaged, or of another format.
        """
        file = pathlib.Path(folder, cls.FILE)
        return cls.from_json(file.read_bytes(), str(file))

    @classmethod
    def from_json(cls, text: str | bytes, source: str) -> Self:
        """As `read`; `source` says where the text is from."""
        try:
            values = json.loads(text)
            if cls.FORMAT is not None and (
                not isinstance(values, dict) or values.get('format') != cls.FORMAT
            ):
                raise ValueError(f'it is not of format {cls.FORMAT}')
            return pydantic.TypeAdapter(cls).validate_python(values)
        except ValueError as error:
            raise DataError(
                f'{source} cannot be read ({reason(error)}); write it again with: '
                'thawline run --no-cache'
            ) from error


def reason(error: ValueError) -> str:
    """Why values do not fit a type: the first place and what is wrong there."""
    if not isinstance(error, pydantic.ValidationError):
        return str(error)
    first = error.errors(include_url=False)[0]
    return ': '.join(filter(None, ('.'.join(map(str, first['loc'])), first['msg'])))
