"""`thawline schedule kubeflow`: what it refuses before TFX starts."""

import importlib.util

import pytest

from thawline.components.shared.errors import ConfigError, NotFound
from thawline.pipeline.config import loading
from thawline.pipeline.config.project import Project
from thawline.pipeline.orchestrators.kubeflow import export

WELL = {'image': 'reg/x:1', 'root': 'gs://bucket/a', 'volume': 'claim'}


def write(tmp_path, text='data: {source: gs://b/x}\n', **given):
    config = loading.parse(f'name: stones\n{text}', 'test')
    export.write(Project.of(config, tmp_path), None, given)


def test_an_image_is_needed(tmp_path):
    with pytest.raises(ConfigError, match="build the project's Dockerfile, push it and give --im"):
        write(tmp_path, root='gs://bucket/a')


def test_options_are_checked_together(tmp_path):
    with pytest.raises(ConfigError, match='(?s)options: 2 problems.*image: .*root: '):
        write(tmp_path, image='x', root='/data')


def test_options_count_before_the_configuration(tmp_path):
    text = 'data: {source: gs://b/x}\nkubeflow: {image: "a:1", root: gs://bucket/x, retries: 3}\n'
    config = loading.parse(f'name: stones\n{text}', 'test')
    settings = export.settings_of(config, {'image': 'b:2', 'root': None})
    assert (settings.image, settings.root, settings.retries) == ('b:2', 'gs://bucket/x', 3)


def test_local_data_are_refused(tmp_path):
    with pytest.raises(ConfigError, match='data.source: images exists only on this machine'):
        write(tmp_path, 'data: {source: images}\n', **WELL)


def test_a_schema_that_is_not_there(tmp_path):
    with pytest.raises(NotFound, match='data.schema_file: there is no file'):
        write(tmp_path, 'data: {source: gs://b/x, schema_file: mine.pbtxt}\n', **WELL)


def test_kfp_is_looked_for_before_anything_starts(tmp_path, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, 'find_spec', lambda name: None if name == 'kfp' else find_spec(name)
    )
    with pytest.raises(ConfigError, match="pip install 'thawline\\[kfp\\]'"):
        write(tmp_path, **WELL)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('weights', ['package', '/thawline/base.h5'])
def test_notes_on_sqlite(weights):
    model = f'model: {{backbone: efficientnet_lite0, weights: {weights}}}\n'
    config = loading.parse(f'name: a\ndata: {{source: gs://b/x}}\n{model}', 'test')
    (note,) = export.notes(config, export.settings_of(config, WELL))
    assert note.startswith('metadata in SQLite: safe on a volume')
