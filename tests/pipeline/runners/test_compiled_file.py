"""The file that `thawline compile` writes: whole and of this version, or one clear error."""

from __future__ import annotations

import json
import pathlib
import tempfile

import hypothesis
import hypothesis.strategies as st
import pytest

import thawline
from thawline.components.shared.errors import ConfigError, NotFound
from thawline.pipeline.config import loading
from thawline.pipeline.config.project import Project
from thawline.pipeline.runners import compiled_file
from thawline.pipeline.runners.compiled_file import CompiledNode, Envelope

NODES = [
    CompiledNode(id='One', upstream=(), beam=True),
    CompiledNode(id='Two', upstream=('One',), beam=False),
]
COMPILED = {
    'nodes': [
        {'pipelineNode': {'nodeInfo': {'id': 'One'}, 'parameters': {'word': 'a'}}},
        {'pipelineNode': {'nodeInfo': {'id': 'Two'}, 'upstreamNodes': ['One']}},
    ]
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def content(home: pathlib.Path, rest: str = '') -> Envelope:
    text = f'name: x\ndata: {{source: images}}\nmodel: {{weights: random}}\n{rest}'
    parsed = loading.parse(text, 'thawline.yaml')
    return compiled_file.envelope(Project.of(parsed, home), NODES, COMPILED)


@pytest.fixture
def written(tmp_path: pathlib.Path) -> pathlib.Path:
    compiled_file.write(tmp_path / 'out' / 'pipeline.json', content(tmp_path))
    return tmp_path / 'out' / 'pipeline.json'


def edit(path: pathlib.Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text('utf-8')) | changes), 'utf-8')


def refused(path: pathlib.Path) -> str:
    with pytest.raises(ConfigError) as error:
        compiled_file.read(path)
    assert str(path) in str(error.value)
    return str(error.value)


def test_what_is_written_is_read_again(written, tmp_path):
    found = compiled_file.read(written)
    assert found.name == 'x' and found.thawline == thawline.__version__
    assert found.project == Project.of(found.config, tmp_path)
    assert found.upstream == {'One': (), 'Two': ('One',)}
    assert found.pipeline == COMPILED
    assert found.digest == content(tmp_path).digest
    assert [path.name for path in written.parent.iterdir()] == ['pipeline.json'], 'nothing beside'


def test_a_dag_file_needs_json_alone(written):
    plain = json.loads(written.read_text('utf-8'))
    assert [(node['id'], node['upstream']) for node in plain['nodes']] == [
        ('One', []), ('Two', ['One']),
    ]  # fmt: skip
    assert plain['digest'].startswith('sha256:') and plain['output'].endswith('runs/x')


def test_the_order_of_keys_and_spaces_are_no_change(written):
    plain = json.loads(written.read_text('utf-8'))
    written.write_text(json.dumps(dict(reversed(plain.items())), indent=7), 'utf-8')
    assert compiled_file.read(written).digest == plain['digest']


@pytest.mark.parametrize(
    'change',
    [{'nodes': []}, {'home': '/elsewhere'}, {'pipeline': {}}, {'name': 'y'},
     {'digest': 'sha256:0'}, {'digest': 3}, {'more': 1}],
)  # fmt: skip
def test_an_edited_file_is_refused(written, change):
    edit(written, **change)
    assert 'was changed after it was compiled' in refused(written)


def test_another_version_or_format_or_code_says_so(written, monkeypatch):
    edit(written, thawline='0.0.9')
    assert "compiled by thawline '0.0.9'" in refused(written)
    edit(written, format=7)
    assert 'has format 7' in refused(written)
    edit(written, format=1, thawline=thawline.__version__)
    compiled_file.read(written)
    monkeypatch.setattr(compiled_file.code_digest, 'of_all_code', lambda: 'other')
    assert 'other code than is installed' in refused(written)


def test_other_versions_of_libraries_that_decide_results_are_named(written):
    versions = json.loads(written.read_text('utf-8'))['libraries']
    assert {'keras', 'pillow', 'tensorflow'} <= versions.keys() and 'pydantic' not in versions
    edit(written, libraries=versions | {'pillow': '1.7'})
    content = json.loads(written.read_text('utf-8'))
    edit(written, digest=compiled_file.content_digest(content))
    message = refused(written)
    assert f"pillow '1.7' (here {versions['pillow']})" in message and 'keras' not in message


@pytest.mark.parametrize(
    ('text', 'words'),
    [('', 'as JSON'), ('{', 'as JSON'), ('[]', 'not written by thawline compile'),
     ('{"nodes": []}', 'not written by thawline compile'), ('[' * 100_000, 'as JSON'),
     ('{"format": true, "thawline": "", "digest": ""}', 'format True')],
)  # fmt: skip
def test_other_files_are_refused(tmp_path, text, words):
    path = tmp_path / 'pipeline.json'
    path.write_text(text, 'utf-8')
    assert words in refused(path)


def test_no_file_no_right_to_write(tmp_path):
    with pytest.raises(NotFound, match='thawline compile'):
        compiled_file.read(tmp_path / 'none.json')
    assert 'cannot be read' in refused(tmp_path)
    (tmp_path / 'file').touch()
    with pytest.raises(ConfigError, match='cannot be written'):
        compiled_file.write(tmp_path / 'file' / 'pipeline.json', content(tmp_path))
    (tmp_path / 'folder').mkdir()
    with pytest.raises(ConfigError, match='folder cannot be written: Is a directory'):
        compiled_file.write(tmp_path / 'folder', content(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ['file', 'folder']


def read_bytes(data: bytes) -> None:
    """Reads a file of these bytes, which must end in an envelope or in a ConfigError."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, 'pipeline.json')
        path.write_bytes(data)
        try:
            assert isinstance(compiled_file.read(path), Envelope)
        except ConfigError as error:
            assert str(path) in str(error)


@hypothesis.given(st.binary(max_size=60))
def test_any_bytes(data):
    read_bytes(data)


@hypothesis.given(JSON)
def test_any_json(value):
    read_bytes(json.dumps(value).encode())


@hypothesis.settings(max_examples=60)
@hypothesis.given(
    key=st.sampled_from(['format', 'thawline', 'code', 'libraries', 'name', 'digest', 'home',
                         'output', 'schema', 'files', 'config', 'nodes', 'pipeline', 'more']),
    value=JSON, sealed=st.booleans(),
)  # fmt: skip
def test_any_value_of_any_key(key, value, sealed):
    """Also with a digest that somebody made to fit."""
    made = content(pathlib.Path('/home/x')).values | {key: value}
    if sealed and key != 'digest':
        made['digest'] = compiled_file.content_digest(made)
    read_bytes(json.dumps(made).encode())


def test_nodes_come_in_the_order_in_which_they_can_run(written):
    found = compiled_file.read(written)
    assert found.in_order(['Two', 'One', 'Two']) == ['One', 'Two']
    with pytest.raises(NotFound, match="no node 'Three'; there are: One, Two"):
        found.in_order(['One', 'Three'])


def test_a_definition_is_what_a_node_does_not_when():
    moved = json.loads(json.dumps(COMPILED))
    moved['nodes'][1]['pipelineNode'] |= {'upstreamNodes': [], 'executionOptions': {'run': {}}}
    assert compiled_file.node_digests(moved) == compiled_file.node_digests(COMPILED)
    moved['nodes'][0]['pipelineNode']['parameters'] = {'word': 'b'}
    now, before = compiled_file.node_digests(moved), compiled_file.node_digests(COMPILED)
    assert now['One'] != before['One'] and now['Two'] == before['Two']


def test_weights_and_schema_must_be_those_that_it_was_compiled_for(tmp_path):
    weights = tmp_path / 'base.h5'
    weights.write_bytes(b'one')
    text = 'name: x\ndata: {source: images}\nmodel: {backbone: mobilenet_v2, weights: base.h5}\n'
    parsed = loading.parse(text, 'thawline.yaml')
    compiled_file.write(
        tmp_path / 'p.json',
        compiled_file.envelope(Project.of(parsed, tmp_path), NODES, COMPILED),
    )
    found = compiled_file.read(tmp_path / 'p.json')
    compiled_file.check_files(found)
    weights.write_bytes(b'two')
    with pytest.raises(ConfigError, match='base.h5 has changed since the pipeline was compiled'):
        compiled_file.check_files(found)
    weights.write_bytes(b'one')
    (tmp_path / 'schema.pbtxt').write_text('# reviewed meanwhile', 'utf-8')
    with pytest.raises(ConfigError, match='schema.pbtxt has changed'):
        compiled_file.check_files(found)
