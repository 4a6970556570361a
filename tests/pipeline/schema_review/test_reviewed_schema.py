"""A reviewed schema that cannot be read is named, with the line, before anything runs."""

from __future__ import annotations

import importlib.resources
import pathlib

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from thawline.components.shared.errors import Busy, ConfigError, NotFound
from thawline.pipeline.config import loading
from thawline.pipeline.config.project import Project
from thawline.pipeline.runners import checks
from thawline.pipeline.schema_review import reviewed_schema

GOOD = 'feature {\n  name: "größe"\n  type: INT\n}\n'


def at(home: pathlib.Path, file: str = '') -> Project:
    named = f', schema_file: {file}' if file else ''
    text = f'name: x\ndata: {{source: images{named}}}\nmodel: {{weights: random}}\n'
    return Project.of(loading.parse(text, 'thawline.yaml'), home)


@pytest.mark.parametrize(
    ('content', 'place', 'word'),
    [
        (GOOD.replace('type', 'typ').encode(), ':3', 'typ'),
        (GOOD.replace('INT', 'NUMBER').encode(), ':3', 'NUMBER'),
        (GOOD.encode().replace(b'\n}', b'\n'), ':', 'Expected'),
        (b'{"feature": []}', ':1', ''),
        (GOOD.encode('latin-1'), ':2', '0xf6'),
        (b'\xff\xfe' + GOOD.encode('utf-16-le'), ':1', 'UTF-8'),
        (b'', '', 'no feature'),
        (b'# nothing yet\n', '', 'no feature'),
    ],
)
@pytest.mark.parametrize('file', ['', 'reviewed/own.pbtxt'])
def test_unreadable(
    tmp_path: pathlib.Path, file: str, content: bytes, place: str, word: str
) -> None:
    project = at(tmp_path, file)
    project.schema.parent.mkdir(exist_ok=True)
    project.schema.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        checks.check_files(project)
    assert f'{project.schema}{place}' in str(caught.value)
    assert word in str(caught.value)


def test_places(tmp_path: pathlib.Path) -> None:
    project = at(tmp_path)
    checks.check_files(project)  # none
    project.schema.write_text(GOOD, 'utf-8')
    checks.check_files(project)
    project.schema.unlink()
    project.schema.mkdir()
    with pytest.raises(ConfigError, match='is a folder'):
        checks.check_files(project)
    project.schema.rmdir()
    project.schema.symlink_to('nowhere')
    with pytest.raises(ConfigError, match='schema.pbtxt cannot be read'):
        checks.check_files(project)
    with pytest.raises(NotFound, match='there is no file'):
        checks.check_files(at(tmp_path, 'other.pbtxt'))


def test_the_curated_rules_are_a_schema(tmp_path: pathlib.Path) -> None:
    rules = importlib.resources.files('thawline.schemas') / 'images.pbtxt'
    at(tmp_path).schema.write_bytes(rules.read_bytes())
    checks.check_files(at(tmp_path))


def test_the_curated_rules_have_every_feature_that_is_written() -> None:
    rules = importlib.resources.files('thawline.schemas') / 'images.pbtxt'
    schema = text_format.Parse(rules.read_text('utf-8'), schema_pb2.Schema())
    features = {feature.name: feature for feature in schema.feature}
    assert features['image'].HasField('image_domain')
    assert set(features) == {
        'image', 'label', 'image_id', 'path', 'group', 'cluster', 'split', 'source_format',
        'height', 'width', 'brightness', 'contrast', 'sharpness', 'label_confidence',
        'fold',
    }  # fmt: skip


def test_what_was_written_meanwhile_is_not_replaced(tmp_path: pathlib.Path) -> None:
    project = at(tmp_path)
    project.schema.write_bytes(GOOD.replace('\n', '\r\n').encode())
    reviewed = reviewed_schema.read(project)
    assert reviewed is not None
    reviewed_schema.replace(project, reviewed[0], reviewed[0] + '# Ada\n')
    changed = project.schema.read_bytes()
    assert changed.endswith(b'# Ada\n')
    with pytest.raises(Busy, match='meanwhile'):
        reviewed_schema.replace(project, reviewed[0], reviewed[0] + '# Bob\n')
    assert project.schema.read_bytes() == changed
    project.schema.unlink()
    with pytest.raises(Busy):
        reviewed_schema.replace(project, changed.decode(), GOOD)
