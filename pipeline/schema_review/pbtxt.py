"""Where the fields of a message in protobuf's text format are in its text.

The grammar: https://protobuf.dev/reference/protobuf/textformat-spec/. Parsing proper is protobuf's
own; this only finds the places of what it has already accepted.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

_TOKEN = re.compile(
    r"""(?P<skip>\s+|\#[^\n]*)
    | (?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
    | (?P<sign>[{}<>\[\]:;,])
    | (?P<word>[^\s\#"'{}<>\[\]:;,]+)""",
    re.VERBOSE,
)
_CLOSING = {'{': '}', '<': '>'}


@dataclasses.dataclass(frozen=True)
class Field:
    """A field, or an element of a list.

    Attributes:
        name: of the field.
        start, end: of all of it.
        value: where the value begins.
        body_end: of a message, where its closing brace is; else None.
        fields: of a message, those in it.
        in_list: whether it is an element in square brackets.
    """

    name: str
    start: int
    end: int
    value: int
    body_end: int | None = None
    fields: Sequence[Field] = ()
    in_list: bool = False


class Unsupported(Exception):
    """The text is written in a way that cannot be edited piece by piece."""


def parse(text: str) -> list[Field]:
    """The fields of the outermost message.

    Raises:
        Unsupported: the text has what a Schema never needs, such as extensions.
    """
    parser = _Parser(text)
    fields = parser.fields('')
    if parser.token:
        raise Unsupported(f'{parser.token!r} at {parser.start}')
    return fields


class _Parser:
    """Reads token by token; `token` is the next one, '' at the end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._next = self.end = self.start = 0
        self.token = self.kind = ''
        self._advance()

    def _advance(self) -> None:
        """Goes on by one token; `end` is that of the token before."""
        self.end = self._next
        while self._next < len(self._text):
            match = _TOKEN.match(self._text, self._next)
            if match is None:
                raise Unsupported(f'{self._text[self._next]!r} at {self._next}')
            self._next = match.end()
            self.kind = match.lastgroup or ''
            if self.kind != 'skip':
                self.token, self.start = match[0], match.start()
                return
        self.token, self.kind, self.start = '', '', len(self._text)

    def fields(self, closing: str) -> list[Field]:
        """The fields up to, and without, a closing brace."""
        fields: list[Field] = []
        while self.token and self.token != closing:
            if self.kind != 'word':
                raise Unsupported(f'{self.token!r} at {self.start}')
            fields += self._field()
        return fields

    def _field(self) -> list[Field]:
        name, start = self.token, self.start
        self._advance()
        if self.token == ':':
            self._advance()
        if self.token != '[':
            field = self._value(name, start)
            if self.token in (',', ';'):
                self._advance()
                field = dataclasses.replace(field, end=self.end)
            return [field]
        elements = []
        self._advance()
        while self.token and self.token != ']':
            elements.append(dataclasses.replace(self._value(name, self.start), in_list=True))
            if self.token == ',':
                self._advance()
        self._advance()
        return elements

    def _value(self, name: str, start: int) -> Field:
        value = self.start
        if closing := _CLOSING.get(self.token):
            self._advance()
            fields = self.fields(closing)
            body_end = self.start
            self._advance()
            return Field(name, start, self.end, value, body_end, fields)
        string = self.kind == 'string'
        self._advance()
        while string and self.kind == 'string':  # adjacent strings are one
            self._advance()
        return Field(name, start, self.end, value)
