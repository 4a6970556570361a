"""The component's contract, and one run by TFX's own runner with its cache."""

from __future__ import annotations

import json
import os
import pathlib

import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration.metadata import sqlite_metadata_connection_config

from tests.components.ingestion.images import class_folders, encoded, picture
from tests.pipeline.cache_keys import with_library
from thawline.components.ingestion import executor
from thawline.components.ingestion.artifacts import Quarantine
from thawline.components.ingestion.component import ImageExampleGen
from thawline.components.ingestion.params import Split
from thawline.components.ingestion.source_types import SourceSpec
from thawline.components.shared import code_digest
from thawline.components.shared.errors import ConfigError
from thawline.pipeline import tfx_imports
from thawline.pipeline.engines.beam_options import IN_PROCESS


def test_contract() -> None:
    split = Split(train=0.8, val=0.1, test=0.1, seed=7)
    component = ImageExampleGen(SourceSpec('data'), split, 256, 1000)
    assert component.outputs['examples'].type is tfx_imports.standard_artifacts.Examples
    assert component.outputs['quarantine'].type is Quarantine
    properties = component.exec_properties
    assert SourceSpec.from_json(properties['source_spec']) == SourceSpec('data')
    assert Split.model_validate_json(properties['split']) == split
    assert [properties[k] for k in ('max_side', 'max_pixels', 'code_digest')] == [
        256, 1000, code_digest.of_code(executor.__name__)
    ]  # fmt: skip


def test_wrong_parameters_fail_when_wired() -> None:
    with pytest.raises(ConfigError, match='data.format'):
        ImageExampleGen(SourceSpec('data', 'zip'))
    with pytest.raises(ConfigError, match='data.group_pattern'):
        ImageExampleGen(SourceSpec('data', group_pattern='x'))


def run(root: pathlib.Path, data: pathlib.Path) -> None:
    generator = ImageExampleGen(SourceSpec(str(data)), Split(folds=0))
    statistics = tfx_imports.StatisticsGen(examples=generator.outputs['examples'])
    tfx_imports.LocalDagRunner().run(
        tfx_imports.Pipeline(
            'images', str(root / 'out'), components=[generator, statistics], enable_cache=True,
            metadata_connection_config=sqlite_metadata_connection_config(
                str(root / 'metadata.db')
            ),
            beam_pipeline_args=list(IN_PROCESS),
        )
    )  # fmt: skip


def states(root: pathlib.Path) -> tuple[list[str], list[str]]:
    """States of the generator's executions, and the summaries of its quarantines."""
    config = sqlite_metadata_connection_config(str(root / 'metadata.db'))
    store = metadata_store.MetadataStore(config)
    kinds = [t.name for t in store.get_execution_types() if 'ImageExampleGen' in t.name]
    executions = sorted(store.get_executions_by_type(kinds[0]), key=lambda e: e.id)
    artifacts = sorted(store.get_artifacts_by_type('Quarantine'), key=lambda a: a.id)
    name = metadata_store_pb2.Execution.State.Name
    return (
        [name(e.last_known_state) for e in executions],
        [a.custom_properties['summary'].string_value for a in artifacts],
    )


def exchange(one: pathlib.Path, two: pathlib.Path) -> None:
    """Two files get each other's content, and the same size and time, as `cp -p` may leave them."""
    times, contents = one.stat(), (two.read_bytes(), one.read_bytes())
    for file, content in zip((one, two), contents, strict=True):
        file.write_bytes(content.ljust(max(map(len, contents)), b'\0'))
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.e2e
def test_runs_in_tfx_with_cache(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = class_folders(tmp_path / 'data', {'a': 6, 'b': 6})
    run(tmp_path, data)
    run(tmp_path, data)
    assert states(tmp_path)[0] == ['COMPLETE', 'CACHED']
    (data / 'a' / 'new.png').write_bytes(encoded(picture(99), 'PNG'))
    run(tmp_path, data)
    seen, summaries = states(tmp_path)
    assert seen == ['COMPLETE', 'CACHED', 'COMPLETE']
    assert [json.loads(s)['written'] for s in summaries] == [12, 13]
    one, two = data / 'a' / '000.png', data / 'b' / '000.png'
    exchange(one, two)  # of one size now
    run(tmp_path, data)
    exchange(one, two)
    run(tmp_path, data)
    one.touch()
    run(tmp_path, data)
    with_library(monkeypatch, 'pillow')
    run(tmp_path, data)
    assert states(tmp_path)[0][3:] == ['COMPLETE', 'COMPLETE', 'CACHED', 'COMPLETE']
    splits = sorted(p.name for p in (tmp_path / 'out' / 'StatisticsGen').glob('statistics/*/*'))
    assert splits == sorted(5 * ['Split-test', 'Split-train', 'Split-val'])
