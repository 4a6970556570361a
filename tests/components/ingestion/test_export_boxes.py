"""Boxes in exports of CVAT and Label Studio."""

from __future__ import annotations

import collections
import json
import math
import pathlib
from typing import Any

import pytest

from tests.components.ingestion.images import encoded, picture
from thawline.components.ingestion import boxes
from thawline.components.ingestion import quarantine as reasons
from thawline.components.ingestion.boxes import Box
from thawline.components.ingestion.params import Columns
from thawline.components.ingestion.source_types import Listing, SourceSpec
from thawline.components.ingestion.sources import list_source
from thawline.components.shared.errors import DataError

LABELS = ('ant', 'bee')


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / 'images').mkdir()
    for number in range(6):
        data = encoded(picture(number, (40, 20)), 'PNG')
        (tmp_path / 'images' / f'{number}.png').write_bytes(data)
    return tmp_path


def listing(source: pathlib.Path, **options: Any) -> Listing:
    return list_source(SourceSpec(str(source), **options))


def cvat(root: pathlib.Path, *more: str) -> pathlib.Path:
    """Each image has a box and a polygon of its class; the first has `more`."""
    images = []
    for n in range(6):
        label = LABELS[n % 2]
        shapes = (
            f'<box label="{label}" xtl="4" ytl="5" xbr="14" ybr="15" z_order="0"/>'
            f'<polygon label="{label}" points="20,2;30,2;25,12"/>{"" if n else "".join(more)}'
        )
        images.append(f'<image id="{n}" name="{n}.png" width="40" height="20">{shapes}</image>')
    file = root / 'annotations.xml'
    file.write_text(f'<annotations><version>1.1</version>{"".join(images)}</annotations>')
    return file


def test_boxes_and_polygons_of_cvat(root: pathlib.Path) -> None:
    found = listing(cvat(root))
    assert listing(root).items == found.items
    assert collections.Counter(item.label for item in found.items) == {'ant': 6, 'bee': 6}
    assert found.items[0].relative_path == 'images/0.png#shape1'
    assert [i.box for i in found.items[:2]] == [
        Box(4, 5, 14, 15, (40, 20)), Box(20, 2, 30, 12, (40, 20)),
    ]  # fmt: skip
    assert '12 boxes of 6 pictures' in found.notes[0]


def test_a_tag_is_the_class_of_the_whole_image(root: pathlib.Path) -> None:
    file = cvat(root)
    text = file.read_text()
    for n in range(6):
        tag = f'<tag label="{LABELS[n % 2]}"/>'
        text = text.replace(f'name="{n}.png" width="40" height="20">', f'name="{n}.png">{tag}')
    file.write_text(text)
    found = listing(file)
    assert len(found.items) == 6 and {item.box for item in found.items} == {None}


@pytest.mark.parametrize(
    ('shape', 'reason'),
    [
        ('<box label="ant" xtl="x" ytl="5" xbr="14" ybr="15"/>', reasons.MALFORMED_ROW),
        ('<box label="ant" xtl="4" ytl="5" xbr="14"/>', reasons.MALFORMED_ROW),
        ('<box xtl="4" ytl="5" xbr="14" ybr="15"/>', reasons.MALFORMED_ROW),
        ('<polygon label="ant" points="1,2;3,4"/>', reasons.MALFORMED_ROW),
        ('<box label="ant" xtl="4" ytl="5" xbr="4" ybr="15"/>', reasons.EMPTY_BOX),
        ('<box label="ant" xtl="50" ytl="5" xbr="60" ybr="15"/>', reasons.BOX_OUTSIDE),
    ],
)
def test_a_bad_shape_of_cvat_costs_itself(root: pathlib.Path, shape: str, reason: str) -> None:
    found = listing(cvat(root, shape))
    assert [(r.path, r.reason) for r in found.rejected] == [('images/0.png#shape3', reason)]
    assert 'image 0.png, shape 3' in found.rejected[0].detail and len(found.items) == 12


def test_rotated_boxes_become_their_bounding_box(root: pathlib.Path) -> None:
    turned = '<box label="ant" xtl="10" ytl="8" xbr="30" ybr="12" rotation="90"/>'
    found = listing(cvat(root, turned))
    box = next(i.box for i in found.items if i.relative_path.endswith('0.png#shape3'))
    assert box is not None
    assert (box.left, box.top, box.right, box.bottom) == pytest.approx((18, 0, 22, 20))
    assert boxes.rotated([1, 0], (0, 0), 90) == pytest.approx([0, 1])  # clockwise, y points down
    assert boxes.rotated([2, 1], (1, 1), 45) == pytest.approx([1 + math.sqrt(0.5)] * 2)


def region(label: str, key: str = 'a', **value: Any) -> dict[str, Any]:
    rectangle = {'x': 10, 'y': 25, 'width': 25, 'height': 50, 'rotation': 0}
    return {
        'id': key, 'type': 'rectanglelabels', 'original_width': 40, 'original_height': 20,
        'value': {**rectangle, 'rectanglelabels': [label], **value},
    }  # fmt: skip


def label_studio(root: pathlib.Path, *more: dict[str, Any], **task: Any) -> pathlib.Path:
    tasks: list[dict[str, Any]] = [
        {
            'id': n,
            'data': {'image': f'/data/upload/1/0a1b2c3d-{n}.png'},
            'annotations': [{'result': [region(LABELS[n % 2])]}],
        }
        for n in range(6)
    ]
    tasks[0]['annotations'][0]['result'] += more
    tasks[0].update(task)
    (root / 'export.json').write_text(json.dumps(tasks))
    return root / 'export.json'


def test_regions_of_label_studio(root: pathlib.Path) -> None:
    polygon = {
        'type': 'polygonlabels',
        'value': {'points': [[0, 0], [50, 0], [25, 50]], 'polygonlabels': ['ant']},
    }
    found = listing(label_studio(root, polygon))
    assert len(found.items) == 7 and found.rejected == ()
    by_name = {item.relative_path: item.box for item in found.items}
    assert by_name['images/0.png#a'] == Box(4, 5, 14, 15, (40, 20))
    assert by_name['images/0.png#region2'] == Box(0, 0, 0.5, 0.5, (1, 1))


def test_bad_regions_of_label_studio(root: pathlib.Path) -> None:
    bad = [
        region('ant', 'b', x='left'), region('ant', 'c', rectanglelabels=['ant', 'bee']),
        region('ant', 'd', rectanglelabels=[]), region('ant', 'e', width=0),
    ]  # fmt: skip
    found = listing(label_studio(root, *bad))
    assert {r.path: r.reason for r in found.rejected} == {
        'images/0.png#b': reasons.MALFORMED_ROW, 'images/0.png#c': reasons.MALFORMED_ROW,
        'images/0.png#d': reasons.MALFORMED_ROW, 'images/0.png#e': reasons.EMPTY_BOX,
    }  # fmt: skip
    assert all('task 1, region' in r.detail for r in found.rejected)


def test_boxes_by_several_people_are_not_mixed(root: pathlib.Path) -> None:
    annotations = [{'result': [region('ant')]}, {'result': [region('bee', 'b')]}]
    found = listing(label_studio(root, annotations=annotations))
    assert len(found.items) == 6 and found.items[0].relative_path == 'images/0.png#a'
    assert any('1 pictures have boxes by several' in note for note in found.notes)


def test_several_questions_need_a_name(root: pathlib.Path) -> None:
    def answer(question: str, choice: str) -> dict[str, Any]:
        return {'type': 'choices', 'from_name': question, 'value': {'choices': [choice]}}

    tasks = [
        {
            'data': {'image': f'{n}.png'},
            'annotations': [
                {'result': [answer('species', LABELS[n % 2]), answer('sharp', 'yes')]},
            ],
        }
        for n in range(6)
    ]
    (root / 'export.json').write_text(json.dumps(tasks))
    with pytest.raises(DataError, match=r'questions sharp, species; .*data\.columns\.label'):
        listing(root)
    found = listing(root, columns=Columns(label='species'))
    assert collections.Counter(item.label for item in found.items) == {'ant': 3, 'bee': 3}
    mini = [{'id': n, 'image': f'{n}.png', 'annotation_id': n, 'species': LABELS[n % 2]}
            for n in range(6)]  # fmt: skip
    (root / 'export.json').write_text(json.dumps(mini))
    with pytest.raises(DataError, match=r"no choice for any image.*'species'"):
        listing(root)
    assert listing(root, columns=Columns(label='species')).items == found.items
