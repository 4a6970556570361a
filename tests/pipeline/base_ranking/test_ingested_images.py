"""Ingested images are taken where ingesting would give the same now, else not."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from tests.components.ingestion.images import class_folders
from tests.pipeline.cache_keys import with_library
from thawline.components.ingestion import cache_key, sources
from thawline.components.ingestion.fingerprint import ContentDigests, fingerprint
from thawline.components.shared import metadata_store
from thawline.pipeline.base_ranking import ingested_images
from thawline.pipeline.config import loading
from thawline.pipeline.config.project import Project


def project(home: pathlib.Path, data: str = '') -> Project:
    text = f'name: x\ndata: {{source: images{data}}}\n'
    return Project.of(loading.parse(text, 'thawline.yaml'), home)


@pytest.fixture
def ingested(tmp_path: pathlib.Path) -> pathlib.Path:
    """A project whose images were ingested, as the metadata record it; returns its folder."""
    class_folders(tmp_path / 'images', {'a': 4, 'b': 4})
    of = project(tmp_path)
    spec, data = of.source_spec(), of.config.data
    parameters = cache_key.parameters(spec, data.split, data.max_side, data.max_pixels)
    digests = ContentDigests(tmp_path / 'elsewhere')
    current = fingerprint(sources.list_source(spec), digests)
    of.output.mkdir(parents=True)
    store = metadata_store.open_sqlite(of.metadata)
    kind = store.put_execution_type(pb.ExecutionType(name='ImageExampleGen'))
    execution = pb.Execution(type_id=kind, last_known_state=pb.Execution.COMPLETE)
    for name, value in cache_key.execution_properties(parameters, current).items():
        field = 'int_value' if isinstance(value, int) else 'string_value'
        setattr(execution.custom_properties[name], field, value)
    examples = store.put_artifact_type(pb.ArtifactType(name='Examples'))
    artifact = pb.Artifact(type_id=examples, uri=str(tmp_path / 'examples'))
    event = pb.Event(type=pb.Event.OUTPUT)
    event.path.steps.add(key='examples')
    contexts = [
        pb.Context(type_id=store.put_context_type(pb.ContextType(name=kind)), name=name)
        for kind, name in (
            ('pipeline', 'x'), ('pipeline_run', 'r1'), ('node', 'x.ImageExampleGen')
        )
    ]  # fmt: skip
    store.put_execution(execution, [(artifact, event)], contexts)
    (tmp_path / 'examples' / 'Split-train').mkdir(parents=True)
    (tmp_path / 'examples' / 'Split-train' / 'data.gz').touch()
    return tmp_path


def test_same_images_and_settings(ingested: pathlib.Path) -> None:
    split = ingested_images.train_split(project(ingested))
    assert split == ingested / 'examples' / 'Split-train'


def exchange(home: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (home / 'images' / 'a' / f'00{i}.png' for i in (0, 1))
    times = one.stat()
    contents = two.read_bytes(), one.read_bytes()
    for file, content in zip((one, two), contents, strict=True):
        file.write_bytes(content)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize(
    'change',
    [
        exchange,
        lambda home, monkeypatch: with_library(monkeypatch, 'pillow'),
        lambda home, monkeypatch: monkeypatch.setattr(
            cache_key.code_digest, 'of_code', lambda *modules: 'edited'
        ),
        lambda home, monkeypatch: (home / 'examples' / 'Split-train' / 'data.gz').unlink(),
    ],
)
def test_what_would_be_ingested_otherwise_now(
    ingested: pathlib.Path,
    change: Callable[[pathlib.Path, pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    change(ingested, monkeypatch)
    assert ingested_images.train_split(project(ingested)) is None


def test_other_settings(ingested: pathlib.Path) -> None:
    for data in (', split: {seed: 1}', ', max_side: 100', ', group_pattern: (.)/'):
        assert ingested_images.train_split(project(ingested, data)) is None
