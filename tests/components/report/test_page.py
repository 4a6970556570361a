from __future__ import annotations

import dataclasses
import html.parser
import json
import math
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import made_report
from thawline.components.report import html_page, page
from thawline.components.report.content import Interval


class Reader(html.parser.HTMLParser):
    """Tags with their attributes, and the text, as a browser's tokenizer would find them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[str] = []
        self.blocks: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        inside = self.tags and self.tags[-1][0] in ('script', 'style') and self.cdata_elem
        (self.blocks if inside else self.said).append(data)


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    return reader


def tags(reader: Reader) -> list[str]:
    return sorted({tag for tag, _ in reader.tags})


@pytest.fixture(scope='module')
def ten() -> Reader:
    return read(page.render(made_report.content()))


@pytest.fixture(scope='module')
def hostile() -> Reader:
    return read(page.render(made_report.hostile()))


def test_the_verdict_comes_first_and_is_there_without_script(ten):
    words = ' '.join(' '.join(ten.said).split())
    asked = made_report.content()
    order = ['Not blessed', 'Threshold', 'Validation accuracy fails', 'What would change it',
             'All metrics', 'Epoch 0', 'Ten bins', 'Data card', 'What changed since']  # fmt: skip
    places = [words.index(one, words.index('</title>') if '</title>' in words else 0)
              for one in order]  # fmt: skip
    assert places == sorted(places)
    for rule in asked.verdict.rules:
        assert rule.title in words
        assert rule.sentence in words
    assert 'Budget: 2 min 00 s, of which 1 min 52 s were used' in words
    assert f'{100 * asked.splits["test"].accuracy.share:.1f}\u00a0%' in ' '.join(ten.said)


def test_a_name_that_is_markup_makes_no_tag_no_attribute_and_no_template(ten, hostile):
    assert tags(hostile) == tags(ten)
    assert not [
        (tag, key)
        for tag, attributes in hostile.tags
        for key in attributes
        if key.startswith('on') or key in ('style', 'srcdoc')
    ]
    said = ''.join(hostile.said)
    for name in made_report.HOSTILE:
        assert name in said
    assert made_report.HOSTILE_PATH in said


def test_nothing_is_asked_of_the_network(hostile):
    for tag, attributes in hostile.tags:
        for key in ('src', 'href', 'action', 'data', 'poster'):
            value = attributes.get(key)
            assert value is None or value.startswith(('data:', '#')), (tag, key, value)
        assert tag not in ('link', 'iframe', 'object', 'embed', 'base', 'form') or (
            tag == 'link' and attributes['href'] == 'data:,'
        )


def test_the_data_block_gives_back_what_went_in_and_cannot_be_left():
    told = made_report.hostile()
    text = page.render(told)
    block = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1]
    assert not set('<>&\u2028\u2029') & set(block)
    values = json.loads(block)
    assert tuple(values['classes']) == told.classes
    assert values['pictures']['p0']['path'] == made_report.HOSTILE_PATH
    assert values['splits']['val']['cells'][0][:3] == [
        told.splits['val'].confusion[0].label,
        told.splits['val'].confusion[0].answer,
        told.splits['val'].confusion[0].count,
    ]


def test_the_policy_allows_the_files_own_style_and_script_alone(ten):
    policy = next(a['content'] for t, a in ten.tags if a.get('http-equiv'))
    assert "default-src 'none'" in policy
    assert 'unsafe' not in policy
    assert policy.count("'sha256-") == 2


@settings(max_examples=20)
@given(st.text(st.characters(exclude_categories=('Cs',)), min_size=1, max_size=40))
def test_any_name_is_text(name):
    told = made_report.content((name, 'other'), n=4, epochs=0)
    told = dataclasses.replace(told, project=name)
    assert tags(read(page.render(told))) == tags(
        read(page.render(made_report.content(('plain', 'other'), n=4, epochs=0)))
    )


def test_a_path_that_is_no_utf8_is_written_all_the_same():
    page.render(made_report.content(path='odd\udcff.jpg')).encode('utf-8')


def test_a_number_that_is_not_finite_is_refused():
    told = made_report.content()
    broken = dataclasses.replace(told.pictures['p0'], score=math.nan)
    told = dataclasses.replace(told, pictures={**told.pictures, 'p0': broken})
    with pytest.raises(ValueError, match='JSON'):
        page.render(told)


@pytest.mark.parametrize(
    ('classes', 'n', 'megabytes', 'seconds'),
    [(10, 25, 1, 10), (500, 25_000, 5, 60)],
)
def test_size_and_time_stay_small(classes, n, megabytes, seconds):
    told = made_report.content(classes, n=n, values=1000 if classes == 500 else 6)
    start = time.perf_counter()
    text = page.render(told)
    assert time.perf_counter() - start < seconds
    assert len(text.encode()) < megabytes * 1e6


def test_one_class_without_an_image_and_a_picture_that_is_gone():
    told = made_report.content(5, n=3)
    gone = dataclasses.replace(told.pictures['p0'], thumbnail='', overlay='')
    told = dataclasses.replace(told, pictures={**told.pictures, 'p0': gone})
    assert told.splits['val'].classes[4].recall == Interval(None, 0.0, 1.0, 0)
    text = page.render(told)
    assert '<span class="gone">deleted</span>' in text
    assert 'None' not in ''.join(read(text).said)


def test_a_report_of_one_split_without_pictures_or_cards():
    told = made_report.content(epochs=0)
    told = dataclasses.replace(
        told, splits={'val': told.splits['val']}, galleries=(), cards=(), pictures={}
    )
    reader = read(page.render(told))
    assert not [a for t, a in reader.tags if a.get('name') == 'split']
    assert 'The base stayed frozen' in ''.join(reader.said)


STYLE = (html_page.ASSETS / 'page.css').read_text()


def palette(dark: bool) -> dict[str, str]:
    start = STYLE.index('prefers-color-scheme: dark') if dark else 0
    block = STYLE[STYLE.index(':root', start) : STYLE.index('}', start)]
    return dict(re.findall(r'--([\w-]+): (#[0-9a-f]{6})', block))


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


TEXT = [
    *((ink, ground) for ink in ('ink', 'soft', 'accent', 'good', 'bad') for ground in
      ('paper', 'card')),
    ('ink', 'bad-soft'), ('bad', 'bad-soft'), ('ink', 'good-soft'), ('good', 'good-soft'),
    ('ink', 'accent-soft'), ('ink', 'line'), ('card', 'accent'),
    ('val', 'paper'), ('train', 'paper'),
    *(('on-pale', f'{kind}-{i}') for kind in ('right', 'wrong') for i in (1, 2, 3)),
    *(('on-deep', f'{kind}-{i}') for kind in ('right', 'wrong') for i in (4, 5)),
]  # fmt: skip
MARKS = [('control', 'paper'), ('control', 'card'), ('val', 'card'), ('gate', 'card')]


@pytest.mark.parametrize('dark', [False, True])
def test_every_pair_of_colours_has_the_contrast_of_wcag_aa(dark):
    colours = palette(dark)
    found = {pair: contrast(*(colours[one] for one in pair)) for pair in TEXT + MARKS}
    assert {
        pair: value for pair, value in found.items() if value < (4.5 if pair in TEXT else 3)
    } == {}
