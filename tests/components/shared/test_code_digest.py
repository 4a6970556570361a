"""Which edits change the digest of a node's code."""

from __future__ import annotations

import importlib.metadata
import json
import pathlib

import pytest

from tests import code_copy
from thawline.components.shared import code_digest, property_names

NODE = 'thawline.components.node.executor'
SOURCES = {
    '__init__.py': '"""Parts."""\n',
    'errors.py': 'class Wrong(Exception): ...\n',
    'node/__init__.py': '',
    'node/executor.py': (
        'from thawline.components import errors\nfrom thawline.components.node import work\n'
    ),
    'node/work.py': 'def late():\n    from thawline.components.bases.files import read\n',
    'node/component.py': 'import thawline.components.other.part\n',
    'node/assets/page.html': '<p>',
    'bases/__init__.py': 'from thawline.components.bases.files import read\n',
    'bases/files.py': 'read = 1\n',
    'bases/by_name.py': 'import numpy.linalg\n',
    'other/table.csv': 'no asset of the node',
    'other/__init__.py': '"""Nothing but words."""\n',
    'other/part.py': '',
}


@pytest.fixture
def tree(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A small `components`, whose root the digest takes for its own."""
    for name, text in SOURCES.items():
        file = tmp_path / 'thawline' / 'components' / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, 'utf-8')
    monkeypatch.setattr(code_digest, '_ROOT', tmp_path)
    return tmp_path / 'thawline' / 'components'


@pytest.mark.parametrize(
    'file',
    [
        'node/executor.py',
        'node/work.py',  # imported
        'errors.py',  # imported from the root
        'bases/files.py',  # imported inside a function
        'bases/by_name.py',  # in a package that has code of its own
        'node/assets/page.html',
    ],
)
def test_an_edit_of_what_the_node_runs_changes_it(tree, file):
    before = code_digest.of_code(NODE)
    (tree / file).write_text(SOURCES[file] + '\n', 'utf-8')
    assert code_digest.of_code(NODE) != before


@pytest.mark.parametrize(
    'file', ['node/component.py', 'other/part.py', 'other/__init__.py', 'other/table.csv']
)
def test_an_edit_of_what_it_does_not_run_leaves_it(tree, file):
    before = code_digest.of_code(NODE)
    (tree / file).write_text(SOURCES[file] + '\n', 'utf-8')
    assert code_digest.of_code(NODE) == before


def test_compiled_files_and_code_outside_components_leave_it(tree):
    (tree / 'node' / 'work.py').write_text('import thawline.pipeline.run\n', 'utf-8')
    before = code_digest.of_code(NODE)
    outside = tree.parent / 'pipeline' / 'run.py'
    outside.parent.mkdir()
    for file in (tree / 'node' / 'work.cpython-311.pyc', outside):
        file.write_bytes(b'import thawline.components.other.part')
    assert code_digest.of_code(NODE) == before


def test_a_file_counts_by_its_name_too(tree):
    before = code_digest.of_code(NODE)
    (tree / 'node' / 'assets' / 'page.html').rename(tree / 'node' / 'assets' / 'page2.html')
    assert code_digest.of_code(NODE) != before


def test_what_counts_as_all_code(tree):
    before = code_digest.of_all_code()
    (tree / 'node' / 'assets' / 'page.html').write_text('<b>', 'utf-8')
    assert code_digest.of_all_code() == before
    for file in ('node/work.py', 'errors.py', 'other/part.py'):
        (tree / file).write_text(SOURCES[file] + '\n', 'utf-8')
        assert code_digest.of_all_code() != before
        before = code_digest.of_all_code()


def test_versions_of_the_libraries_that_a_node_computes_with(tree, monkeypatch):
    assert code_digest.library_versions(NODE) == {'numpy': importlib.metadata.version('numpy')}
    assert code_digest.library_versions('thawline.components.other.part') == {}
    properties = code_digest.key_properties(NODE)
    assert properties == {
        property_names.CODE_DIGEST: code_digest.of_code(NODE),
        property_names.LIBRARY_VERSIONS: json.dumps(code_digest.library_versions(NODE)),
    }
    monkeypatch.setitem(code_digest.LIBRARIES, 'numpy', ('not-installed-anywhere',))
    assert code_digest.library_versions(NODE) == {'not-installed-anywhere': 'absent'}


def test_versions_of_all_libraries(monkeypatch):
    versions = {'numpy': '2', 'pillow': '11'}

    def version(name):
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError
        return versions[name]

    monkeypatch.setattr(importlib.metadata, 'version', version)
    libraries = {name for names in code_digest.LIBRARIES.values() for name in names}
    assert code_digest.all_library_versions() == dict.fromkeys(libraries, 'absent') | versions


def test_a_module_that_does_not_exist_is_named():
    with pytest.raises(FileNotFoundError, match=r'components\.data_gate\.no_such'):
        code_digest.of_code('thawline.components.data_gate.no_such')


def test_order_does_not_matter_and_other_code_is_another_digest():
    gate, ingestion = (
        'thawline.components.data_gate.executor',
        'thawline.components.ingestion.executor',
    )
    assert code_digest.of_code(gate, ingestion) == code_digest.of_code(ingestion, gate)
    assert code_digest.of_code(gate) != code_digest.of_code(ingestion)


def test_heads_and_rates_are_no_part_of_the_embedders():
    reached = code_digest._reached(('thawline.components.embedding.executor',))
    assert not {file.name for file in reached if file.parent.name == 'training'}


@pytest.fixture(scope='module')
def checkout(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A copy of the code, to be edited."""
    return code_copy.copy_code(tmp_path_factory.mktemp('checkout'))


@pytest.mark.parametrize(
    ('file', 'refused'),
    [
        ('pipeline/server/app.py', False),
        ('pipeline/server/assets/try.js', False),
        ('pipeline/commands/run.py', False),
        ('pipeline/reports/assets/comparison.html', False),
        ('components/report/assets/page.css', False),
        ('components/report/assets/page.html', False),
        ('components/training/probe.py', True),
        ('components/report/executor.py', True),
    ],
)
def test_which_edits_refuse_a_compiled_pipeline(checkout, file, refused, monkeypatch):
    monkeypatch.setattr(code_digest, '_ROOT', checkout)
    before = code_digest.of_all_code()
    with (checkout / file).open('a') as edited:
        edited.write('\n')
    assert (code_digest.of_all_code() != before) is refused
