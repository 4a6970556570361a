"""Records come back as they were written; what cannot be read is one error that names the file."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

import pytest

from thawline.components.shared.errors import DataError
from thawline.components.shared.records import Record


@dataclasses.dataclass(frozen=True)
class Part:
    name: str
    share: float | None = None


@dataclasses.dataclass(frozen=True)
class Whole(Record):
    FILE = 'whole.json'

    parts: tuple[Part, ...]
    counts: dict[str, int]
    note: str = 'none'


@dataclasses.dataclass(frozen=True)
class Numbered(Whole):
    FORMAT = 3


PARTS: Any = ((Part('ä', 0.5), Part('b')), {'a': 1}, 'two parts')


@pytest.mark.parametrize(('kind', 'form'), [(Whole, None), (Numbered, 3)])
def test_what_is_written_comes_back(
    tmp_path: pathlib.Path, kind: type[Whole], form: int | None
) -> None:
    record = kind(*PARTS)
    record.write(tmp_path / 'new')
    assert kind.read(str(tmp_path / 'new')) == record
    values = json.loads((tmp_path / 'new' / 'whole.json').read_text('utf-8'))
    assert values.pop('format', None) == form
    assert list(values) == ['parts', 'counts', 'note']


def test_unknown_keys_are_ignored_and_new_ones_have_defaults() -> None:
    text = '{"parts": [{"name": "b", "later": 1}], "counts": {}, "later": []}'
    assert Whole.from_json(text, 'x') == Whole((Part('b'),), {})


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        (b'{"parts": [', 'Expecting value'),
        (b'\xff\xfe\xff', 'decode'),
        (b'[]', 'Input should be'),
        (b'{"counts": {}}', 'parts: Field required'),
        (b'{"parts": [{"name": "b", "share": "many"}], "counts": {}}', 'parts.0.share'),
    ],
)
def test_damaged_file_is_named_with_the_reason(
    tmp_path: pathlib.Path, text: bytes, reason: str
) -> None:
    file = tmp_path / 'whole.json'
    file.write_bytes(text)
    with pytest.raises(DataError, match='--no-cache') as raised:
        Whole.read(tmp_path)
    assert str(file) in str(raised.value) and reason in str(raised.value)
    assert '\n' not in str(raised.value)


@pytest.mark.parametrize('text', ['{"format": 2}', '{}', '[]'])
def test_other_format_is_refused(text: str) -> None:
    with pytest.raises(DataError, match='format 3'):
        Numbered.from_json(text, 'x')


def test_absent_file_is_not_a_damaged_one(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError):
        Whole.read(tmp_path)


def test_numbers_that_json_lacks_are_not_written(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match='not JSON compliant'):
        Whole((Part('b', float('nan')),), {}).write(tmp_path)
