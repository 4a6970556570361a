"""Annotation files with anything in any place: they are listed, or refused in words."""

from __future__ import annotations

import copy
import json
import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.components.ingestion.images import encoded, picture
from thawline.components.ingestion.source_types import SourceSpec
from thawline.components.ingestion.sources import list_source
from thawline.components.shared.errors import UserError

IMAGE = encoded(picture(0, (12, 8)), 'PNG')
COCO = {
    'images': [{'id': n, 'file_name': f'{n}.png', 'width': 12, 'height': 8} for n in range(6)],
    'annotations': [
        {'id': n, 'image_id': n, 'category_id': n % 2, 'bbox': [1, 1, 4, 4], 'iscrowd': 0}
        for n in range(6)
    ],
    'categories': [{'id': 0, 'name': 'ant'}, {'id': 1, 'name': 'bee'}],
}
REGION = {
    'id': 'a', 'type': 'rectanglelabels', 'original_width': 12, 'original_height': 8,
    'value': {'x': 1, 'y': 1, 'width': 9, 'height': 9, 'rotation': 5, 'rectanglelabels': ['ant']},
}  # fmt: skip
CHOICE = {'type': 'choices', 'from_name': 'x', 'value': {'choices': ['ant']}}
TASKS = [
    {'data': {'image': '1.png'}, 'annotations': [{'completed_by': 1, 'result': [result]}]}
    for result in (REGION, REGION, REGION, CHOICE)
]
YOLO = {'path': '.', 'train': 'images', 'val': 'other', 'names': ['ant', 'bee'], 'kpt_shape': 0}
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from([10**400, -1, '..', '/', 'a/b']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner,
                                                                max_size=3),
)  # fmt: skip


def places(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """All places of a tree, by the keys that lead there."""
    yield path
    keys = content if isinstance(content, dict) else range(len(content)) if isinstance(
        content, list) else ()  # fmt: skip
    for key in keys:
        yield from places(content[key], (*path, key))


def damaged(content: Any) -> st.SearchStrategy[Any]:
    """The content with something odd in one of its places."""

    def replaced(draw: tuple[tuple[Any, ...], Any]) -> Any:
        path, odd = draw
        if not path:
            return odd
        result = copy.deepcopy(content)
        inner = result
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = odd
        return result

    return st.tuples(st.sampled_from(list(places(content))), ODD).map(replaced)


@pytest.fixture(scope='module')
def root() -> Iterator[pathlib.Path]:
    with tempfile.TemporaryDirectory() as folder:
        for below in ('', 'images', 'other'):
            (pathlib.Path(folder) / below).mkdir(exist_ok=True)
            for number in range(6):
                (pathlib.Path(folder) / below / f'{number}.png').write_bytes(IMAGE)
                line = f'{number % 2} .5 .5 .2 .2\n'
                (pathlib.Path(folder) / below / f'{number}.txt').write_text(line)
        yield pathlib.Path(folder)


def is_listed_or_refused(file: pathlib.Path, content: str, kind: str) -> None:
    file.write_text(content)
    try:
        found = list_source(SourceSpec(str(file), kind))
    except UserError as error:
        assert str(error)
    else:
        assert found.items


@given(content=damaged(COCO))
def test_coco(root: pathlib.Path, content: Any) -> None:
    is_listed_or_refused(root / 'instances.json', json.dumps(content), 'coco')


@given(content=damaged(TASKS))
def test_label_studio(root: pathlib.Path, content: Any) -> None:
    is_listed_or_refused(root / 'export.json', json.dumps(content), 'label-studio')


@given(content=damaged(YOLO))
def test_data_yaml(root: pathlib.Path, content: Any) -> None:
    is_listed_or_refused(root / 'data.yaml', yaml.safe_dump(content), 'yolo')


@given(
    line=st.text(max_size=30)
    | st.lists(st.sampled_from(['0', '1', '.5', '1e999', 'nan', '-1', 'x'])).map(' '.join)
)
def test_lines_of_yolo(root: pathlib.Path, line: str) -> None:
    (root / 'images' / '0.txt').write_text(line, 'utf-8', 'surrogatepass')
    is_listed_or_refused(root / 'data.yaml', yaml.safe_dump(YOLO), 'yolo')
    (root / 'images' / '0.txt').write_text('0 .5 .5 .2 .2')
