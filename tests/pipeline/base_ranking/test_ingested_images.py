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
from thawline.pipeline.base_ranking.ingested_images import IngestedImages
from thawline.pipeline.config import loading
from thawline.pipeline.config.project import Project


def project(home: pathlib.Path, data: str = '') -> Project:
    text = f'name: x\ndata: {{source: images{data}}}\n'
    return Project.of(loading.parse(text, 'thawline.yaml'), home)


@pytest.fixture
def ingested(tmp_path: pathlib.Path) -> pathlib.Path:
    return ingest(tmp_path)


def ingest(tmp_path: pathlib.Path, folds: int = 0) -> pathlib.Path:
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
    artifact.custom_properties['folds'].int_value = folds
    event = pb.Event(type=pb.Event.OUTPUT)
    event.path.steps.add(key='examples')
    contexts = [
        pb.Context(type_id=store.put_context_type(pb.ContextType(name=kind)), name=name)
        for kind, name in (
            ('pipeline', 'x'), ('pipeline_run', 'r1'), ('node', 'x.ImageExampleGen')
        )
    ]  # fmt: skip
    store.put_execution(execution, [(artifact, event)], contexts)
    for split in ('train', 'val', 'test'):
        (tmp_path / 'examples' / f'Split-{split}').mkdir(parents=True)
        (tmp_path / 'examples' / f'Split-{split}' / 'data.gz').touch()
    return tmp_path


def test_same_images_and_settings(ingested: pathlib.Path) -> None:
    images = ingested_images.find(project(ingested))
    assert images == IngestedImages((ingested / 'examples' / 'Split-train',), 0)


def test_in_folds_the_one_that_is_split_off_counts_too(tmp_path: pathlib.Path) -> None:
    home = ingest(tmp_path, folds=4)
    splits = tuple(home / 'examples' / f'Split-{name}' for name in ('train', 'val'))
    assert ingested_images.find(project(home)) == IngestedImages(splits, 4)
    (splits[1] / 'data.gz').unlink()
    assert ingested_images.find(project(home)) is None


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
    assert ingested_images.find(project(ingested)) is None


def test_other_settings(ingested: pathlib.Path) -> None:
    for data in (', split: {seed: 1}', ', max_side: 100', ', group_pattern: (.)/'):
        assert ingested_images.find(project(ingested, data)) is None
