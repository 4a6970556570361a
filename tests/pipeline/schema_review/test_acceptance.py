"""What TFDV finds is named by kind, and what is accepted is a difference no more."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from tests.components.data_gate import made_statistics
from tests.components.data_gate.made_statistics import CLASSES
from thawline.components.data_gate import format_shares, schema_comparison
from thawline.components.data_gate.split_statistics import SplitStatistics, Statistics
from thawline.pipeline.config import curated_schema
from thawline.pipeline.schema_review import acceptance, proposal, schema_text

REMARK = '# Retired in 2024, but it may come back.'
ODD = 'd\'or [1] {2} <3> "x"\n# é'
Schema = schema_pb2.Schema


@pytest.fixture(scope='module')
def reviewed() -> str:
    """As `infer` writes it, with a remark and a rule by hand."""
    statistics = made_statistics.splits()
    text = proposal.propose(
        curated_schema.read_rules(),
        proposal.infer(statistics.values()),
        SplitStatistics(statistics),
    )
    text = text.replace('  name: "labels"\n', f'  name: "labels"\n  {REMARK}\n')
    return text + 'dataset_constraints {\n  min_examples_count: 5  # Ada\n}\n'


def parse(text: str) -> Schema:
    return text_format.Parse(text, Schema())


def names(text: str, statistics: dict[str, Statistics]) -> list[str]:
    return [change.name for change in acceptance.compare(parse(text), statistics)]


def accept(text: str, statistics: dict[str, Statistics], *only: str) -> str:
    """The text after all, or these, were accepted."""
    schema = parse(text)
    changes = acceptance.compare(schema, statistics)
    chosen = [change for change in changes if not only or change.name in only]
    accepted, left = acceptance.accept(schema, chosen, statistics)
    assert left == []
    return schema_text.edit(text, schema, accepted)


def with_labels(*labels: str) -> list[str]:
    return list(itertools.islice(itertools.cycle(labels), 60))


def test_the_data_it_was_inferred_from_do_not_differ(reviewed: str) -> None:
    assert names(reviewed, made_statistics.splits()) == []
    schema = parse(reviewed)
    assert schema_comparison.domain(schema, 'label') == sorted(CLASSES)
    assert format_shares.remembered(schema) == {'JPEG': 1.0}
    assert schema_comparison.allowed_range(schema, 'height') == (128, 610)
    low, high = schema_comparison.allowed_range(schema, 'brightness')
    assert low == pytest.approx(0.2) and high == pytest.approx(0.8)
    assert '# Standard deviation of luma.' in reviewed  # remarks of the curated rules
    # A few more images of the kind have other extremes.
    assert names(reviewed, made_statistics.splits(height=600, brightness=0.25)) == []


# Columns of the new images, and the changes that they are.
CASES: list[tuple[dict[str, Any], list[str]]] = [
    ({'label': with_labels(*CLASSES, ODD)}, [f'class:{ODD}']),
    ({'label': with_labels(*CLASSES[:2])}, [f'class:{CLASSES[2]}']),
    ({'label': with_labels(*CLASSES[1:], 'owl', 'emu')},
     ['class:emu', 'class:owl', 'class:cat']),
    ({'meta_new': 'q'}, ['column:meta_new']),
    ({'meta_new': [f'{i}' for i in range(60)]}, ['column:meta_new']),
    ({'meta_site': None}, ['column:meta_site']),
    ({'meta_site': ['north'] * 40 + [None] * 20}, ['missing:meta_site']),
    ({'meta_site': ['north'] * 59 + [None]}, ['missing:meta_site']),
    ({'meta_site': with_labels('north', 'été', ODD)},
     [f'value:meta_site={ODD}', 'value:meta_site=été']),
    ({'source_format': ['JPEG'] * 54 + ['PNG'] * 6}, ['format:PNG']),
    ({'height': [12, 4000] + [256] * 58}, ['size:height']),
    ({'width': 50, 'height': 4000}, ['size:height', 'size:width']),
    ({'brightness': 0.01, 'contrast': 0.45}, ['lighting:brightness', 'lighting:contrast']),
    ({'sharpness': -1.0}, ['rule:sharpness']),
    ({'meta_site': None, 'meta_place': 'x', 'label': 'cat', 'height': 9},
     ['class:grüne "Katze"', 'class:🐈', 'column:meta_place', 'column:meta_site',
      'size:height']),
]  # fmt: skip


@pytest.mark.parametrize(('columns', 'expected'), CASES, ids=lambda case: str(case)[:40])
def test_each_change_is_named_and_can_be_accepted(
    reviewed: str, columns: dict[str, Any], expected: list[str]
) -> None:
    statistics = made_statistics.splits(**columns)
    assert names(reviewed, statistics) == expected
    after = accept(reviewed, statistics)
    assert names(after, statistics) == []
    assert REMARK in after and 'min_examples_count: 5' in after
    for name in expected:  # one of them alone leaves the others
        assert names(accept(reviewed, statistics, name), statistics) == [
            other for other in expected if other != name
        ]


def test_what_was_not_accepted_stays_as_it_was(reviewed: str) -> None:
    statistics = made_statistics.splits(label=with_labels(*CLASSES, 'owl'), height=4000)
    after = accept(reviewed, statistics, 'class:owl')
    assert set(after.splitlines()) - set(reviewed.splitlines()) == {'  value: "owl"'}
    assert set(reviewed.splitlines()) <= set(after.splitlines())


def test_shares_of_formats_are_compared_with_those_of_the_review(reviewed: str) -> None:
    both = made_statistics.splits(source_format=['JPEG'] * 54 + ['PNG'] * 6)
    text = accept(reviewed, both)
    assert format_shares.remembered(parse(text)) == {'JPEG': 0.9, 'PNG': 0.1}
    few = made_statistics.splits(source_format=['JPEG'] * 49 + ['PNG'] * 11)
    assert names(text, few) == []
    many = made_statistics.splits(source_format=['JPEG'] * 40 + ['PNG'] * 20)
    (change,) = acceptance.compare(parse(text), many)
    assert change.name == 'format:shares'
    assert 'JPEG from 90.0 % to 66.7 %' in change.message
    # A tag by hand is no share, and stays.
    own = text.replace('tag: "JPEG=0.9"', 'tag: "asked Ada" tag: "JPEG=0.9"')
    after = accept(own, many)
    assert '"asked Ada"' in after and names(after, many) == []


def test_a_column_of_very_many_values_loses_its_list(reviewed: str) -> None:
    values = [f'site {i}' for i in range(10_000)]
    statistics = {'train': made_statistics.of_rows(made_statistics.rows(10_000, meta_site=values))}
    (change,) = acceptance.compare(parse(reviewed), statistics)
    assert change.name == 'value:meta_site' and '10,000 values' in change.message
    after = accept(reviewed, statistics)
    assert names(after, statistics) == [] and '"north"' not in after
    assert schema_comparison.domain(parse(after), 'meta_site') is None


def test_rules_by_hand_are_followed_and_kept(reviewed: str) -> None:
    # A tenth of the values may be new.
    lenient = reviewed.replace(
        'name: "meta_site"',
        'name: "meta_site" distribution_constraints { min_domain_mass: 0.9 }',
        1,
    )
    statistics = made_statistics.splits(meta_site=['north'] * 57 + ['east'] * 3)
    assert names(reviewed, statistics) == ['value:meta_site=east']
    assert names(lenient, statistics) == []


def test_what_tfdv_cannot_adapt_is_left_to_hands(reviewed: str) -> None:
    strict = parse(reviewed.replace('min_examples_count: 5', 'min_examples_count: 500'))
    statistics = made_statistics.splits(height=4000)
    changes = acceptance.compare(strict, statistics)
    assert [change.name for change in changes] == ['size:height', 'rule:dataset']
    accepted, left = acceptance.accept(strict, changes, statistics)
    assert [change.name for change in left] == ['rule:dataset']
    assert schema_comparison.allowed_range(accepted, 'height') == (128, 4000)


def test_a_schema_from_before_some_facts_gets_them(reviewed: str) -> None:
    old = parse(reviewed)
    kept = [f for f in old.feature if f.name not in ('cluster', 'sharpness', 'label_confidence')]
    del old.feature[:]
    old.feature.extend(kept)
    text = text_format.MessageToString(old, as_utf8=True)
    completed = curated_schema.complete(text.encode()).decode()
    assert names(text, made_statistics.splits()) == ['column:cluster', 'column:sharpness']
    assert names(completed, made_statistics.splits()) == []
    assert completed.startswith(text) and curated_schema.complete(completed.encode()) == (
        completed.encode()
    )


def test_classes_that_tfdv_does_not_count_have_not_vanished(reviewed: str) -> None:
    many = [f'class {i}' for i in range(1_500)]
    schema = parse(reviewed)
    tfdv.get_domain(schema, 'label').value.extend(many)
    statistics = {'train': made_statistics.of_rows(made_statistics.rows(1_500, label=many))}
    assert acceptance.compare(schema, statistics) == []
