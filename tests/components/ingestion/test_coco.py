"""COCO files as sources of boxes, good and bad."""

from __future__ import annotations

import collections
import json
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from tests.components.ingestion import memory_files
from tests.components.ingestion.images import decoded, encoded, picture
from tests.components.ingestion.ingesting import ingest, strings
from thawline.components.ingestion import quarantine as reasons
from thawline.components.ingestion.boxes import Box
from thawline.components.ingestion.params import Boxes
from thawline.components.ingestion.source_types import Listing, SourceSpec
from thawline.components.ingestion.sources import detect_format, list_source
from thawline.components.shared.errors import DataError

Coco = dict[str, list[dict[str, Any]]]


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    """8 pictures of 60 x 40 pixels with 3 boxes each; numbers 1 to 4 have ants, others bees."""
    (tmp_path / 'set' / 'images').mkdir(parents=True)
    for number in range(1, 9):
        data = encoded(picture(number, (60, 40)), 'PNG')
        (tmp_path / 'set' / 'images' / f'{number}.png').write_bytes(data)
    write(tmp_path / 'set', coco())
    return tmp_path / 'set'


def coco() -> Coco:
    return {
        'images': [
            {'id': n, 'file_name': f'{n}.png', 'width': 60, 'height': 40} for n in range(1, 9)
        ],
        'annotations': [
            {
                'id': 10 * n + k, 'image_id': n, 'category_id': 1 + (n > 4), 'iscrowd': 0,
                'bbox': [5 * n, 10 * k, 20, 10],
            }
            for n in range(1, 9)
            for k in range(3)
        ],
        'categories': [{'id': 0, 'name': 'insects'}, {'id': 1, 'name': 'ant'},
                       {'id': 2, 'name': 'bee'}],
    }  # fmt: skip


def write(root: pathlib.Path, content: Coco, name: str = 'instances.json') -> pathlib.Path:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(json.dumps(content))
    return root / name


def listing(source: pathlib.Path, **options: Any) -> Listing:
    return list_source(SourceSpec(str(source), **options))


def changed(root: pathlib.Path, change: Callable[[Coco], object]) -> pathlib.Path:
    content = coco()
    change(content)
    return write(root, content)


def test_each_box_is_an_image_of_its_category(root: pathlib.Path) -> None:
    found = listing(root / 'instances.json')
    assert collections.Counter(item.label for item in found.items) == {'ant': 12, 'bee': 12}
    assert len({item.relative_path for item in found.items}) == 24 and len(found.files) == 8
    first = next(item for item in found.items if item.relative_path.endswith('#11'))
    assert first.relative_path == 'images/1.png#11' and first.picture == 'images/1.png'
    assert first.box == Box(5, 10, 25, 20, (60, 40))
    assert listing(root).items == found.items
    assert {detect_format(SourceSpec(str(p))) for p in (root, root / 'instances.json')} == {'coco'}
    assert found.notes[0].startswith('each box is an image: 24 boxes of 8 pictures')


def test_a_large_file_with_sorted_keys_is_recognised(root: pathlib.Path) -> None:
    before = listing(root).items
    content = coco()
    content['annotations'][0]['segmentation'] = [[float(n) for n in range(20_000)]]
    (root / 'instances.json').write_text(json.dumps(content, sort_keys=True))
    content['annotations'][0]['segmentation'] = []
    assert listing(root).items == before


def test_pictures_are_looked_for_where_tools_put_them(root: pathlib.Path) -> None:
    official = write(root, coco(), 'annotations/instances_train2017.json')
    (root / 'images').rename(root / 'train2017')
    (root / 'instances.json').unlink()
    assert len(listing(official).items) == 24
    found = listing(root)
    assert found.items[0].relative_path == 'train2017/1.png#10' and found.items[0].split is None
    (root / 'train2017').rename(root / 'photos')
    assert len(listing(official, root=str(root / 'photos')).items) == 24
    with pytest.raises(DataError, match='missing file'):
        listing(official)


def test_a_file_for_each_split(root: pathlib.Path) -> None:
    """As Roboflow exports them."""
    for split, odd in (('train', 0), ('valid', 1)):
        part = coco()
        part['images'] = [e for e in part['images'] if e['id'] % 2 == odd]
        part['annotations'] = [e for e in part['annotations'] if e['image_id'] % 2 == odd]
        write(root, part, f'{split}/_annotations.coco.json')
        for entry in part['images']:
            shutil.copy(root / 'images' / entry['file_name'], root / split)
    (root / 'instances.json').unlink()
    found = listing(root)
    assert collections.Counter(i.split for i in found.items) == {'train': 12, 'val': 12}
    assert found.items[0].relative_path == 'train/2.png#20'


def test_versions_of_an_upload_share_a_group(root: pathlib.Path) -> None:
    content = coco()
    for number, entry in enumerate(content['images']):
        entry['file_name'] = f'up{number // 2}_png.rf.{number:032x}.png'
        (root / 'images' / f'{number + 1}.png').rename(root / 'images' / entry['file_name'])
    groups = {item.group for item in listing(write(root, content)).items}
    assert groups == {f'images/up{n}_png' for n in range(4)}
    found = listing(root, group_pattern=r'(up[01])_')  # the pattern goes first
    assert {item.group for item in found.items} == {
        'up0',
        'up1',
        'images/up2_png',
        'images/up3_png',
    }


def test_a_pattern_of_groups_sees_the_picture_alone(root: pathlib.Path) -> None:
    found = listing(root, group_pattern='(.*)')
    assert {item.group for item in found.items} == {f'images/{n}.png' for n in range(1, 9)}


@pytest.mark.parametrize(
    ('change', 'reason', 'detail'),
    [
        ({'bbox': [5, 5, 0, 9]}, reasons.EMPTY_BOX, 'annotations[0]'),
        ({'bbox': [5, 5, 9, -1]}, reasons.EMPTY_BOX, 'annotations[0]'),
        ({'bbox': [60, 5, 9, 9]}, reasons.BOX_OUTSIDE, '60 x 40'),
        ({'bbox': [5, 5, 9]}, reasons.MALFORMED_ROW, 'bbox'),
        ({'bbox': [5, 5, None, 9]}, reasons.MALFORMED_ROW, 'bbox'),
        ({'bbox': [5, 5, float('nan'), 9]}, reasons.MALFORMED_ROW, 'bbox'),
        ({'bbox': None}, reasons.MALFORMED_ROW, 'bbox'),
        ({'iscrowd': 1}, reasons.CROWD, 'iscrowd'),
        ({'image_id': 99}, reasons.MISSING_FILE, '99'),
    ],
)
def test_a_bad_annotation_costs_one_box(
    root: pathlib.Path, change: dict[str, Any], reason: str, detail: str
) -> None:
    found = listing(changed(root, lambda content: content['annotations'][0].update(change)))
    (rejected,) = found.rejected
    assert (len(found.items), rejected.reason) == (23, reason)
    assert detail in rejected.detail and 'instances.json, annotations[0]' in rejected.detail
    assert rejected.path.endswith('#10') and any(reason in note for note in found.notes)


def test_boxes_beyond_the_border_are_kept(root: pathlib.Path) -> None:
    change = {'bbox': [50, 35, 20, 20]}
    found = listing(changed(root, lambda content: content['annotations'][0].update(change)))
    assert len(found.items) == 24 and not found.rejected


def test_polygons_without_a_box(root: pathlib.Path) -> None:
    change = {'bbox': [], 'segmentation': [[4, 6, 14, 6, 9, 20], [20, 8, 22, 8, 21, 9]]}
    found = listing(changed(root, lambda content: content['annotations'][0].update(change)))
    assert found.items[0].box == Box(4, 6, 22, 20, (60, 40))


def test_pictures_without_boxes_are_counted(root: pathlib.Path) -> None:
    found = listing(changed(root, lambda c: c['annotations'].__delitem__(slice(0, 3))))
    assert len(found.items) == 21 and not found.rejected
    assert any('1 picture without boxes is' in n and 'images/1.png' in n for n in found.notes)


def test_a_missing_picture_costs_its_boxes(root: pathlib.Path) -> None:
    (root / 'images' / '8.png').unlink()
    found = listing(root)
    assert {r.path for r in found.rejected} == {f'8.png#{n}' for n in (80, 81, 82)}
    assert {r.reason for r in found.rejected} == {reasons.MISSING_FILE}
    outside = changed(root, lambda c: c['images'][0].update(file_name='../../1.png'))
    assert reasons.ESCAPES_ROOT in {r.reason for r in listing(outside).rejected}


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda c: c['annotations'][1].update(category_id=7), ('annotations[1]', '7', '0, 1, 2')),
        (lambda c: c['categories'][2].update(name='ant'), ('categories[2]', "'ant'")),
        (lambda c: c['categories'][2].update(id=1), ('categories[2]', '1')),
        (lambda c: c['categories'][2].pop('name'), ('categories[2]', 'name')),
        (lambda c: c['images'][3].update(id=1), ('images[3]', '1')),
        (lambda c: c['images'][3].update(file_name='1.png'), ('images[3]', "'1.png'")),
        (lambda c: c['images'][3].pop('file_name'), ('images[3]', 'file_name')),
        (lambda c: c['annotations'][5].update(id=10), ('annotations[0]', '10', '2 times')),
        (lambda c: c['annotations'][5].pop('image_id'), ('annotations[5]', 'image_id')),
        (lambda c: c.pop('categories'), ('categories',)),
    ],
)
def test_what_contradicts_itself_is_refused(
    root: pathlib.Path, change: Callable[[Coco], object], words: tuple[str, ...]
) -> None:
    with pytest.raises(DataError) as caught:
        listing(changed(root, change), format='coco')
    assert all(word in str(caught.value) for word in ('instances.json', *words))


def test_a_bucket(root: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        f'{memory_files.PREFIX}bucket/set/{path.relative_to(root).as_posix()}': path.read_bytes()
        for path in root.rglob('*')
        if path.is_file()
    }
    monkeypatch.setattr(memory_files, 'FILES', files)
    found = list_source(SourceSpec(f'{memory_files.PREFIX}bucket/set/instances.json'))
    assert [i.relative_path for i in found.items] == [i.relative_path for i in listing(root).items]


def test_damaged_json_is_refused_with_its_place(root: pathlib.Path) -> None:
    text = (root / 'instances.json').read_text()
    (root / 'instances.json').write_text(text[: len(text) // 2])
    with pytest.raises(DataError, match=r'instances.json is damaged JSON: .*line 1 column'):
        listing(root)
    with pytest.raises(DataError, match='no JSON of COCO'):
        listing(root / 'images', format='coco')


def test_ingestion_keeps_the_boxes_of_a_picture_together(
    root: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    content = coco()
    content['annotations'][0]['bbox'] = [5, 5, 20, 2]  # small
    content['annotations'].append({**content['annotations'][1], 'id': 99})  # a copy
    content['annotations'].append({**content['annotations'][5], 'id': 98, 'category_id': 2})
    boxes = Boxes(padding=0.0, min_side=4)
    write(root, content)
    examples, summary, _ = ingest(SourceSpec(str(root), boxes=boxes), tmp_path / 'run')
    assert summary['reasons'] == {reasons.CONFLICTING_LABELS: 2, reasons.SMALL_BOX: 1}
    split_of = {}
    for split, images in examples.items():
        for path, group in zip(strings(images, 'path'), strings(images, 'group'), strict=True):
            assert split_of.setdefault(path.partition('#')[0], (split, group)) == (split, group)
    assert {split for split, _ in split_of.values()} == {'train', 'val', 'test'}
    assert len({group for _, group in split_of.values()}) == 8
    every = [example for images in examples.values() for example in images]
    one = next(e for e in every if strings([e], 'path') == ['images/3.png#32'])
    expected = decoded((root / 'images' / '3.png').read_bytes())[20:30, 15:35]
    assert (decoded(one.features.feature['image'].bytes_list.value[0]) == expected).all()
    identities = dict(zip(strings(every, 'path'), strings(every, 'image_id'), strict=True))
    assert identities['images/1.png#11'] == identities['images/1.png#99']
    # Other boxes leave the identity of a box as it is.
    del content['annotations'][3:]
    content['annotations'] += coco()['annotations'][6:]
    write(root, content)
    later, _, _ = ingest(SourceSpec(str(root), boxes=boxes), tmp_path / 'later')
    pairs = [(e, i) for images in later.values() for e, i in
             zip(strings(images, 'path'), strings(images, 'image_id'), strict=True)]  # fmt: skip
    assert dict(pairs)['images/3.png#32'] == identities['images/3.png#32']
