"""What is found before anything heavy starts."""

from __future__ import annotations

import pathlib

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.components.shared import metadata_store
from thawline.pipeline.config import loading
from thawline.pipeline.config.project import Project
from thawline.pipeline.runners import checks


@pytest.mark.parametrize(
    ('types', 'told'),
    [
        ((), False),
        (('tfx.dsl.components.common.resolver.Resolver',), False),
        (('components.ingestion.component.ImageExampleGen',), True),
        (
            (
                'components.ingestion.component.ImageExampleGen',
                'thawline.components.ingestion.component.ImageExampleGen',
            ),
            False,
        ),
    ],
)
def test_a_store_of_the_class_paths_of_before_is_told_once(
    tmp_path: pathlib.Path, types: tuple[str, ...], told: bool
) -> None:
    project = Project.of(loading.parse('name: x\ndata: {source: images}', 'file'), tmp_path)
    assert checks.older_types_note(project) is None  # no run yet
    project.output.mkdir(parents=True)
    store = metadata_store.open_sqlite(project.metadata)
    for name in types:
        store.put_execution_type(pb.ExecutionType(name=name))
    assert bool(checks.older_types_note(project)) is told
