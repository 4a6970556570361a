"""New images as they are read: facts, metadata, groups, and what cannot be used."""

from __future__ import annotations

import pathlib

import pytest

from tests.components.ingestion import images
from tests.pipeline.prediction import prediction_setup
from thawline.components.ingestion import image_identity
from thawline.components.ingestion.decoding import ImageSettings
from thawline.components.shared.errors import DataError
from thawline.pipeline.config import loading
from thawline.pipeline.config.project import Project
from thawline.pipeline.drift import new_images

SETTINGS = ImageSettings(1024, 10**7)


def project(home: pathlib.Path, data: str = '') -> Project:
    text = f'name: x\ndata: {{source: images{data}}}\n'
    return Project.of(loading.parse(text, 'thawline.yaml'), home)


def test_a_folder_with_files_that_cannot_be_used(tmp_path: pathlib.Path) -> None:
    good, bad = prediction_setup.good(), prediction_setup.bad()
    folder = prediction_setup.write(tmp_path / 'in', good | bad)
    read = new_images.read(project(tmp_path), str(folder), SETTINGS, 100)
    assert [image.name for image in read.images] == sorted(f'{folder}/{name}' for name in good)
    assert {entry.path for entry in read.rejected} == {f'{folder}/{name}' for name in bad}
    by_name = {image.name: image for image in read.images}
    plain = by_name[f'{folder}/plain.jpg']
    assert plain.image_id == plain.group == image_identity.image_id(good['plain.jpg'])
    assert plain.facts['source_format'] == 'JPEG' and plain.facts['width'] == 40
    assert by_name[f'{folder}/rotated.jpg'].facts['width'] == 20  # upright
    assert by_name[f'{folder}/scan.tif'].encoded.startswith(b'\x89PNG')

    some = new_images.read(project(tmp_path), str(folder), SETTINGS, 5)
    assert len(some.images) + len(some.rejected) < len(good | bad)
    assert some.listed == read.listed


def test_a_table_with_metadata_and_groups(tmp_path: pathlib.Path) -> None:
    for number in range(4):
        data = images.encoded(images.picture(number), 'PNG')
        prediction_setup.write(tmp_path, {f'part{number // 2}_{number}.png': data})
    rows = [f'part{n // 2}_{n}.png,{"day" if n else "night"}' for n in range(4)]
    table = tmp_path / 'new.csv'
    table.write_text('\n'.join(['path,shift', *rows, 'gone.png,day', '']), 'utf-8')
    where = project(tmp_path, ', group_pattern: "(part[0-9])_"')
    read = new_images.read(where, str(table), SETTINGS, 100)
    assert [image.facts['meta_shift'] for image in read.images] == ['night', 'day', 'day', 'day']
    assert [image.group for image in read.images] == ['part0', 'part0', 'part1', 'part1']
    assert [entry.path for entry in read.rejected] == ['gone.png']


def test_a_table_need_not_have_what_the_project_names(tmp_path: pathlib.Path) -> None:
    data = images.encoded(images.picture(1), 'PNG')
    prediction_setup.write(tmp_path, {'a.png': data})
    columns = ', columns: {group: patient, metadata: [shift], confidence: sure}'
    for row, group in (('a.png,Ada', 'Ada'), ('a.png,', image_identity.image_id(data))):
        (tmp_path / 'new.csv').write_text(f'path,patient\n{row}\n')
        read = new_images.read(project(tmp_path, columns), str(tmp_path / 'new.csv'), SETTINGS, 100)
        assert [image.group for image in read.images] == [group]
    (tmp_path / 'new.csv').write_text('path,shift\na.png,day\n')
    read = new_images.read(project(tmp_path, columns), str(tmp_path / 'new.csv'), SETTINGS, 100)
    assert read.images[0].facts['meta_shift'] == 'day'


def test_nothing_to_compare(tmp_path: pathlib.Path) -> None:
    prediction_setup.write(tmp_path, {'poor/a.jpg': b'', 'records/a.tfrecord': b'x'})
    with pytest.raises(DataError, match='none of the 1 files .* empty file'):
        new_images.read(project(tmp_path), str(tmp_path / 'poor'), SETTINGS, 100)
    with pytest.raises(DataError, match='TFRecords; give a folder of images'):
        new_images.read(project(tmp_path), str(tmp_path / 'records'), SETTINGS, 100)
    with pytest.raises(DataError):
        new_images.read(project(tmp_path), str(tmp_path / 'nowhere'), SETTINGS, 100)
