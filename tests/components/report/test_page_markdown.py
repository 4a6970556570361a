from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import made_report
from thawline.pipeline.reports import markdown


def test_it_says_the_verdict_the_rules_and_what_went_wrong():
    told = made_report.content()
    text = markdown.render(told)
    assert text.startswith('## ❌ Not blessed: garden insects\n')
    order = [
        '### Where does it fail',
        '### Can I trust',
        '### Rules',
        '### Accuracy',
        '### Worst classes',
        '### Top confusions',
        '### What changed since',
    ]
    places = [text.index(one) for one in order]
    assert places == sorted(places)
    assert '| fails | Validation accuracy |' in text
    assert '- Val accuracy: 89.0 % → 90.2 %' in text
    share = told.splits['val'].accuracy.share
    assert f'| Validation | model | {100 * share:.1f}\u00a0% |' in text


def test_the_worst_class_and_the_top_confusion_are_those_of_the_part():
    told = made_report.content()
    part = told.splits['val']
    text = markdown.render(told)
    worst = min(part.classes, key=lambda row: (row.recall.share, row.recall.upper))
    most = max((c for c in part.confusion if c.label != c.answer), key=lambda c: c.count)
    table = text[text.index('### Worst classes') :].splitlines()
    assert table[4].startswith(f'| {worst.name} |')
    table = text[text.index('### Top confusions') :].splitlines()
    assert table[4].split(' | ')[2] == str(most.count)


def cells(line: str) -> list[str]:
    return re.split(r'(?<!\\)\|', line)[1:-1]


def test_every_row_of_a_table_has_its_cells_whatever_the_names_are():
    text = markdown.render(made_report.hostile())
    assert '<' not in text
    rows = [line for line in text.splitlines() if line.startswith('|')]
    widths = {len(cells(row)) for row in rows}
    assert widths == {4, 5, 6, 8}
    assert 'x onerror=alert(1)&gt;' in text


@given(st.text(max_size=60))
def test_any_text_is_one_line_without_markup(text):
    got = markdown.escape(text)
    assert not re.search(r'[<>\n\r\u2028\u2029\u202a-\u202e]', got)
    assert not re.search(r'(?<!\\)(?:\\\\)*[`|*@]', got)
    got.encode('utf-8')


@pytest.mark.parametrize(
    ('name', 'shown'),
    [('a_b', 'a\\_b'), ('C&A', 'C&amp;A'), ('https://x', 'https\\://x'), ('a\nb', 'a b')],
)
def test_plain_names_stay_readable(name, shown):
    assert markdown.escape(name) == shown
