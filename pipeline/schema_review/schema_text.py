"""Changes the text of a schema where the schema changes; comments, order and spacing stay."""

from __future__ import annotations

import io
import re
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, NamedTuple

from google.protobuf import message, text_format
from google.protobuf.descriptor import FieldDescriptor

from thawline.pipeline.schema_review import pbtxt
from thawline.pipeline.schema_review.pbtxt import Field, Unsupported

_STEP = '  '
_REST_OF_LINE = re.compile(r'[ \t]*(?:#[^\n]*)?(?:\n|\Z)')
_COMMA = re.compile(r'\s*,\s*')
_LEADING_COMMENTS = re.compile(r'(?:[ \t]*(?:#[^\n]*)?\n)*')


class _Edit(NamedTuple):
    start: int
    end: int
    text: str


def edit(text: str, old: message.Message, new: message.Message) -> str:
    """The text of `new`, made from that of `old`.

    Fields that are gone are deleted with their line, new ones are added at the end of their
    message, changed values are replaced in place. Where the text is written in a way that cannot be
    edited so, all of it but the comments at its beginning is written anew.

    Args:
        text: parses as `old`.
        old, new: of one type; repeated fields of `new` begin with those that `old` has, in order.
    """
    try:
        edited = _apply(text, list(_edits(text, pbtxt.parse(text), old, new, len(text), '')))
        if text_format.Parse(edited, type(new)()) == new:
            return edited
    except (Unsupported, text_format.ParseError):
        pass
    leading = _LEADING_COMMENTS.match(text)
    return (leading[0] if leading else '') + text_format.MessageToString(new, as_utf8=True)


def _apply(text: str, edits: Sequence[_Edit]) -> str:
    for one in sorted(edits, reverse=True):
        text = text[: one.start] + one.text + text[one.end :]
    return text


def _edits(
    text: str,
    fields: Sequence[Field],
    old: message.Message,
    new: message.Message,
    body_end: int,
    indent: str,
) -> Iterator[_Edit]:
    """The edits of one message whose body ends at `body_end`."""
    added: list[tuple[FieldDescriptor, Any]] = []
    for descriptor in new.DESCRIPTOR.fields:
        places = [field for field in fields if field.name == descriptor.name]
        before, after = _values(old, descriptor), _values(new, descriptor)
        if len(places) != len(before):
            raise Unsupported(f'{descriptor.name} occurs {len(places)} times')
        rest = {_key(value, descriptor, i): value for i, value in enumerate(after)}
        for number, (place, value) in enumerate(zip(places, before, strict=True)):
            key = _key(value, descriptor, number)
            if key not in rest:
                yield _deletion(text, place)
            elif (changed := rest.pop(key)) != value:
                yield from _change(text, place, descriptor, value, changed)
        added += [(descriptor, value) for value in rest.values()]
    if added:
        yield _insertion(text, body_end, indent, added)


def _values(of: message.Message, descriptor: FieldDescriptor) -> list[Any]:
    value = getattr(of, descriptor.name)
    if descriptor.is_repeated:
        return list(value)
    return [value] if of.HasField(descriptor.name) else []


def _key(value: Any, descriptor: FieldDescriptor, number: int) -> Hashable:
    """What a value and the one that replaces it have in common."""
    if not descriptor.is_repeated:
        return None
    if descriptor.message_type is None:
        return value
    return getattr(value, 'name', None) or number


def _change(
    text: str, place: Field, descriptor: FieldDescriptor, old: Any, new: Any
) -> Iterator[_Edit]:
    if place.body_end is None:
        out = io.StringIO()
        text_format.PrintFieldValue(descriptor, new, out, as_utf8=True)
        yield _Edit(place.value, place.end, out.getvalue())
        return
    line = text[_line_start(text, place.start) : place.start]
    indent = line[: len(line) - len(line.lstrip())] + _STEP
    yield from _edits(text, place.fields, old, new, place.body_end, indent)


def _line_start(text: str, position: int) -> int:
    return text.rfind('\n', 0, position) + 1


def _deletion(text: str, place: Field) -> _Edit:
    """Of the whole line, with its remark, where nothing else is on it."""
    start, end = place.start, place.end
    if place.in_list:
        comma = _COMMA.match(text, end)
        if comma is None:
            raise Unsupported('the last element of a list is removed')
        return _Edit(start, comma.end(), '')
    line = _line_start(text, start)
    rest = _REST_OF_LINE.match(text, end)
    if text[line:start].strip():
        return _Edit(len(text[:start].rstrip(' \t')), end, '')
    if rest:
        return _Edit(line, rest.end(), '')
    return _Edit(start, len(text) - len(text[end:].lstrip(' \t')), '')


def _insertion(
    text: str, body_end: int, indent: str, added: Sequence[tuple[FieldDescriptor, Any]]
) -> _Edit:
    """On lines of their own, unless the message is on one line."""
    line = _line_start(text, body_end)
    alone = not text[line:body_end].strip()
    if alone or body_end == len(text):
        out = io.StringIO()
        for descriptor, value in added:
            text_format.PrintField(descriptor, value, out, as_utf8=True)
        lines = ''.join(indent + one for one in out.getvalue().splitlines(keepends=True))
        place = line if alone else body_end
        return _Edit(place, place, lines if alone else '\n' + lines)
    words = []
    for descriptor, value in added:
        out = io.StringIO()
        text_format.PrintField(descriptor, value, out, as_utf8=True, as_one_line=True)
        words.append(out.getvalue().strip())
    space = '' if text[body_end - 1].isspace() else ' '
    return _Edit(body_end, body_end, f'{space}{" ".join(words)} ')
