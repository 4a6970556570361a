"""The numbers of an ingestion add up, and come back from the file and from the property."""

from __future__ import annotations

import json
import pathlib

import pytest

from tests import made_records
from thawline.components.ingestion import quarantine, summary
from thawline.components.ingestion.summary import IngestionSummary
from thawline.components.shared.errors import DataError

SPLITS = {'train': {'ä': 6, 'b': 4}, 'val': {'ä': 2, '': 1}}
NUMBERS = made_records.ingestion(SPLITS, 3)


def test_numbers_add_up() -> None:
    assert (NUMBERS.total, NUMBERS.written, NUMBERS.quarantined) == (16, 13, 3)
    assert NUMBERS.classes == 2 and NUMBERS.reasons == {'truncated': 3}
    with pytest.raises(RuntimeError, match='15 images were listed, but 13 written and 3 rejected'):
        summary.summarise(15, SPLITS, [summary.Rejected('x', 'truncated')] * 3)


def test_what_was_left_out_by_choice_says_nothing_of_the_data() -> None:
    reasons = [quarantine.SMALL_BOX] * 2 + [quarantine.CROWD, quarantine.BOX_OUTSIDE]
    rejected = [quarantine.Rejected(str(n), reason) for n, reason in enumerate(reasons)]
    numbers = summary.summarise(17, SPLITS, rejected)
    judged = numbers.without_choices
    assert (judged.total, judged.quarantined, judged.written) == (14, 1, 13)
    assert judged.reasons == {quarantine.BOX_OUTSIDE: 1} and numbers.quarantined == 4
    assert NUMBERS.without_choices == NUMBERS


def test_file_and_property_say_the_same(tmp_path: pathlib.Path) -> None:
    text = NUMBERS.to_json(indent=2)
    (tmp_path / IngestionSummary.FILE).write_text(text, 'utf-8')
    assert list(json.loads(text)) == [
        'total', 'written', 'quarantined', 'classes', 'reasons', 'splits', 'notes',
        'samples', 'near_duplicates', 'labels', 'folds',
    ]  # fmt: skip
    assert IngestionSummary.read(tmp_path) == NUMBERS
    assert IngestionSummary.of_properties({'summary': NUMBERS.to_json()}, '/q') == NUMBERS


def test_folds_are_counted_together_as_none_comes_before_another() -> None:
    in_folds = made_records.ingestion({**SPLITS, 'test': {'b': 3}}, folds=5)
    assert in_folds.parts == {'5 folds': {'': 1, 'b': 4, 'ä': 8}, 'test': {'b': 3}}
    assert in_folds.sizes == '13 in 5 folds, test 3'
    assert NUMBERS.parts == SPLITS and NUMBERS.sizes == 'train 10, val 3'


@pytest.mark.parametrize('properties', [{}, {'summary': '[]'}, {'summary': '{"total": 1}'}])
def test_missing_or_damaged_property_is_named(properties: dict[str, str]) -> None:
    with pytest.raises(DataError, match='the summary of the Quarantine /q'):
        IngestionSummary.of_properties(properties, '/q')
