"""Which settings and contents change the cache key of which nodes, and which change none."""

from __future__ import annotations

import os
import pathlib
import re

import pytest

from tests.components.ingestion.images import class_folders
from tests.pipeline.cache_keys import WITH_BASE, build, changed, keys, properties, with_library
from thawline import ROOT
from thawline.components import backbones
from thawline.components.backbones import package_weights, registry
from thawline.components.shared import node_names


@pytest.fixture
def home(tmp_path: pathlib.Path) -> pathlib.Path:
    class_folders(tmp_path / 'images', {'a': 4, 'b': 4})
    return tmp_path


@pytest.mark.parametrize(
    ('changes', 'nodes'),
    [
        ({'data': {'split': {'seed': 1}}}, {'ImageExampleGen'}),
        ({'data': {'split': {'folds': 5}}}, {'ImageExampleGen'}),
        ({'data': {'split': {'train': 0.6, 'val': 0.2, 'test': 0.2}}}, {'ImageExampleGen'}),
        ({'data': {'group_pattern': '(.)/'}}, {'ImageExampleGen'}),
        ({'data': {'normalise_labels': True}}, {'ImageExampleGen'}),
        ({'data': {'format': 'folder'}}, {'ImageExampleGen'}),
        ({'data': {'columns': {'label': 'kind'}}}, {'ImageExampleGen', 'UnlabelledExampleGen'}),
        ({'data': {'depth': 12}}, {'ImageExampleGen'}),
        ({'data': {'near_duplicates': {'turned': True}}}, {'ImageExampleGen'}),
        ({'data': {'max_side': 500}}, {'ImageExampleGen', 'UnlabelledExampleGen'}),
        ({'data': {'max_pixels': 10**6}}, {'ImageExampleGen', 'UnlabelledExampleGen'}),
        ({'data_gate': {'max_quarantined': 0.5}}, {'DataGate'}),
        ({'preprocessing': {'image_size': 64}}, {'Transform', *WITH_BASE}),
        ({'model': {'backbone': 'mobilenet_v2'}}, WITH_BASE),
        ({'embedding': {'views': 3}}, {'Embedder'}),
        ({'embedding': {'features': 'top'}}, {'Embedder'}),
        ({'audit': {'duplicates': 'stop'}}, {'DataAudit'}),
        ({'training': {'seed': 1}}, WITH_BASE),
        ({'training': {'mode': 'probe'}}, {'Tuner', 'Trainer'}),
        ({'training': {'budget': '1h'}}, {'Tuner', 'Trainer'}),
        ({'tuning': {'trials': 7}}, {'Tuner'}),
        ({'gate': {'val_accuracy': 0.7}}, {'Evaluator'}),
        ({'evaluation': {'most_values': 7}}, {'Evaluator'}),
        ({'serving': {'exports': ['litert']}}, {'Exporter'}),
        ({'serving': {'check': {'timeout': '3m'}}}, {'ServingCheck'}),
        ({'output': 'elsewhere'}, {'Trainer'}),  # the folder of checkpoints; also another cache
    ],
)
def test_settings(home, changes, nodes) -> None:
    before, after = keys(home), keys(home, changes)
    # The report shows the whole configuration.
    assert changed(before, after) == nodes | {'Report'}


@pytest.mark.parametrize(
    'changes',
    [
        {'beam': {'workers': 3}},
        {'airflow': {'schedule': '@daily'}},
        {'kubeflow': {'image': 'x/y:2'}},
        {'notifications': [{'command': ['true']}]},
        {'data': {'source': 'images', 'store': {'enabled': False, 'gigabytes': 1}}},
    ],
)
def test_where_and_when_nodes_run_is_in_no_key(home, changes) -> None:
    assert changed(keys(home), keys(home, changes)) == set()


def test_resize_mode(home) -> None:
    after = keys(home, {'preprocessing': {'resize': 'letterbox'}})
    # The Embedder's input is other pixels, whatever its own key says.
    assert changed(keys(home), after) - {'Embedder'} == {'Transform', 'Tuner', 'Trainer', 'Report'}


def test_content_of_the_images(home) -> None:
    before = keys(home)
    one, two = home / 'images' / 'a' / '000.png', home / 'images' / 'a' / '001.png'
    contents = [file.read_bytes() for file in (two, one)]
    for file, content in zip((one, two), contents, strict=True):
        info = file.stat()
        file.write_bytes(content)
        os.utime(file, ns=(info.st_atime_ns, info.st_mtime_ns))
    assert changed(before, keys(home)) == {'ImageExampleGen', 'UnlabelledExampleGen'}


def test_content_of_the_reviewed_schema(home) -> None:
    (home / 'schema.pbtxt').write_text('feature { name: "label" type: BYTES }')
    before = keys(home)
    (home / 'schema.pbtxt').write_text('feature { name: "image" type: BYTES }')
    assert changed(before, keys(home)) == {'ImportSchemaGen'}


def weights_file(home: pathlib.Path) -> tuple[pathlib.Path, dict[str, str]]:
    return home / 'base.h5', {'weights': 'base.h5'}


def weights_of_keras(home: pathlib.Path) -> tuple[pathlib.Path, dict[str, str]]:
    path = registry.entry('mobilenet_v2_035').cached_imagenet_file(224)
    assert path is not None and path.is_relative_to(home)
    path.parent.mkdir(parents=True)
    return path, {'weights': 'imagenet'}


def weights_of_the_package(home: pathlib.Path) -> tuple[pathlib.Path, dict[str, str]]:
    return home / 'package.pth', {'backbone': 'efficientnet_lite0', 'weights': 'package'}


@pytest.mark.parametrize('source', [weights_file, weights_of_keras, weights_of_the_package])
def test_content_of_the_weights(home, source, monkeypatch) -> None:
    monkeypatch.setenv('KERAS_HOME', str(home / 'keras'))
    monkeypatch.setattr(package_weights, 'locate', lambda: home / 'package.pth')
    path, model = source(home)
    settings = {'model': model, 'preprocessing': {'image_size': 224}}
    path.write_bytes(b'one')
    before = keys(home, settings)
    assert changed(before, keys(home, settings)) == set()
    info = path.stat()
    path.write_bytes(b'two')
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
    assert changed(before, keys(home, settings)) == WITH_BASE


def test_weights_that_cannot_be_read_are_served_from_no_cache(home) -> None:
    """The executor runs, and says what is wrong."""
    (home / 'base.h5').write_bytes(b'one')
    embedder = build(home, {'model': {'weights': 'base.h5'}})['Embedder']
    (home / 'base.h5').unlink()
    first, second = (properties(embedder, home)['weights_digest'] for _ in range(2))
    assert first != second


def test_pusher_is_served_from_no_cache(home) -> None:
    """What is in staging by now is for it to see."""
    first, second = (properties(build(home)['Pusher'], home) for _ in range(2))
    assert first != second


def test_random_weights_are_what_seed_code_and_libraries_make_of_them(home, monkeypatch) -> None:
    assert backbones.weights_path('mobilenet_v2_035', 'random', 224) is None
    before = keys(home, {'embedding': {'views': 0}})
    assert 'Embedder' in changed(
        before, keys(home, {'embedding': {'views': 0}, 'training': {'seed': 1}})
    )
    with_library(monkeypatch, 'keras')
    assert 'Embedder' in changed(before, keys(home, {'embedding': {'views': 0}}))


ROW = re.compile(r'^\| (\w+) \| .* \| (`.*`) \|$', re.MULTILINE)


def test_the_table_in_the_docs_has_every_node_and_tests_that_exist(home) -> None:
    text = (ROOT / 'docs' / 'architecture.md').read_text('utf-8')
    table = text.partition("## What is in each node's cache key")[2].partition('\n## ')[0]
    rows = ROW.findall(table)
    nodes = {value for name, value in vars(node_names).items() if name.isupper()}
    assert sorted(name for name, _ in rows) == sorted(nodes)
    for name, tests in rows:
        found = re.findall(r'`(tests/[\w/]+\.py)::(\w+)`', tests)
        assert found, name
        for file, test in found:
            assert f'def {test}(' in (ROOT / file).read_text('utf-8'), (file, test)
