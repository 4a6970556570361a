"""Which edits of code and updates of libraries change the cache key of which nodes."""

from __future__ import annotations

import ast
import contextlib
import pathlib
import sys
from collections.abc import Iterator

import pytest

from tests import code_copy
from tests.components.ingestion.images import class_folders
from tests.pipeline.cache_keys import (
    ALL,
    DATA_VALIDATION,
    EXAMPLE_GENS,
    WITH_BASE,
    build,
    changed,
    keys,
    with_library,
)
from thawline import ROOT
from thawline.components.shared import code_digest

from tfx.utils import import_utils  # isort: skip - after what imports TFX in order

# Imported below `components`, but no result depends on their versions; see `LIBRARIES`.
NO_RESULT = {
    'apache_beam', 'google', 'h5py', 'jinja2', 'keras_tuner', 'markupsafe', 'matplotlib',
    'ml_metadata', 'pyarrow', 'pydantic', 'tensorflow_metadata', 'tensorflow_serving',
    'threadpoolctl', 'yaml',
}  # fmt: skip


@pytest.fixture
def home(tmp_path: pathlib.Path) -> pathlib.Path:
    class_folders(tmp_path / 'images', {'a': 4, 'b': 4})
    return tmp_path


@pytest.mark.parametrize(
    ('library', 'nodes'),
    [
        ('tensorflow', ALL - {'StatisticsGen', 'SchemaGen', 'ExampleValidator'}),
        ('tfx', ALL),
        ('numpy', ALL),
        ('pillow', {*EXAMPLE_GENS, 'Exporter', 'Report'}),
        ('cleanlab', {'DataAudit'}),
        ('keras', {*WITH_BASE, 'DataAudit', 'Evaluator', 'Report'}),
        (
            'tensorflow-transform',
            {'Transform', *WITH_BASE, 'DataAudit', 'Evaluator', 'Exporter', 'Report'},
        ),
        ('tensorflow-data-validation', {*DATA_VALIDATION, 'Evaluator', 'Report'}),
        ('tensorflow-model-analysis', {'Evaluator'}),
        (
            'scipy',
            {*EXAMPLE_GENS, 'DataAudit', 'Tuner', 'Trainer', 'Evaluator', 'Exporter', 'Report'},
        ),
        ('scikit-learn', {'DataAudit', 'Tuner', 'Trainer', 'Evaluator', 'Report'}),
        ('tf2onnx', {'Exporter'}),
        ('onnxruntime', {'Exporter'}),
        ('tfx-bsl', {'Transform', *WITH_BASE, 'DataAudit', 'Evaluator', 'Report', 'BulkInferrer'}),
        *((name, set()) for name in ('pydantic', 'jinja2', 'apache-beam', 'pyarrow', 'protobuf')),
    ],
)
def test_versions_of_libraries(home, library, nodes, monkeypatch) -> None:
    before = keys(home)
    with_library(monkeypatch, library)
    assert changed(before, keys(home)) == nodes


def test_each_library_that_nodes_import_is_judged() -> None:
    """Whether its version decides results; see `code_digest.LIBRARIES`."""
    names = set()
    for file in (ROOT / 'components').rglob('*.py'):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition('.')[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.partition('.')[0])
    foreign = names - sys.stdlib_module_names - {'thawline', '_typeshed'}
    assert foreign == code_digest.LIBRARIES.keys() | NO_RESULT
    assert not code_digest.LIBRARIES.keys() & NO_RESULT


@pytest.fixture(scope='module')
def checkout(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A copy of the code, to be edited."""
    return code_copy.copy_code(tmp_path_factory.mktemp('checkout'))


@contextlib.contextmanager
def edited(file: pathlib.Path) -> Iterator[None]:
    """A file with one more line during the block."""
    content = file.read_bytes()
    file.write_bytes(content + b'\n')
    try:
        yield
    finally:
        file.write_bytes(content)


def test_code_of_every_executor_of_ours(home, checkout, monkeypatch) -> None:
    monkeypatch.setattr(code_digest, '_ROOT', checkout)
    executors = {
        name: import_utils.import_class_by_path(node.executor_spec.class_path).__module__
        for name, node in build(home).items()
    }
    own = {name: module for name, module in executors.items() if module.startswith('thawline.')}
    assert executors.keys() - own.keys() == {'StatisticsGen', 'SchemaGen', 'ExampleValidator'}

    def digests() -> dict[str, str]:
        nodes = build(home)
        return {name: nodes[name].exec_properties['code_digest'] for name in own}

    before = digests()
    for name, module in own.items():
        with edited(checkout.joinpath(*module.split('.')).with_suffix('.py')):
            assert digests()[name] != before[name], name


@pytest.mark.parametrize(
    ('file', 'nodes'),
    [
        ('components/transform/preprocessing.py', {'Transform', *WITH_BASE, 'Evaluator'}),
        ('components/training/run_fn.py', {'Trainer'}),
        ('components/tuning/tuner_fn.py', {'Tuner'}),
        ('components/serving_check/probe.py', {'ServingCheck'}),
        ('components/ingestion/decoding.py', EXAMPLE_GENS),
        ('components/evaluation/gate/verdict.py', {'Evaluator'}),
    ],
)
def test_code_that_executors_run(home, checkout, file, nodes, monkeypatch) -> None:
    monkeypatch.setattr(code_digest, '_ROOT', checkout)
    before = keys(home)
    with edited(checkout / file):
        # Others that import the module run again too.
        assert nodes <= changed(before, keys(home))


@pytest.mark.parametrize(
    ('file', 'nodes'),
    [
        ('pipeline/server/app.py', set()),
        ('pipeline/server/assets/try.js', set()),
        ('pipeline/commands/run.py', set()),
        ('pipeline/graph.py', set()),
        ('pipeline/reports/assets/comparison.html', set()),
        ('components/report/assets/page.css', {'Report'}),
    ],
)
def test_edits_of_pages_and_commands(home, checkout, file, nodes, monkeypatch) -> None:
    monkeypatch.setattr(code_digest, '_ROOT', checkout)
    before = keys(home)
    with edited(checkout / file):
        assert changed(before, keys(home)) == nodes
