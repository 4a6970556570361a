"""What is found before anything heavy starts."""

from __future__ import annotations

import pathlib

import PIL.Image
import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.components.bulk_prediction import driver as unlabelled
from thawline.components.ingestion import driver as ingestion
from thawline.components.shared import metadata_store
from thawline.pipeline import graph
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


def test_sources_have_the_fingerprints_that_drivers_record(tmp_path: pathlib.Path) -> None:
    for folder in ('images/ant', 'images/bee', 'new'):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(12):
            image = PIL.Image.new('RGB', (32, 32), (number, 0, len(folder)))
            image.save(tmp_path / folder / f'{number}.png')
    text = (
        'name: x\ndata: {source: images, columns: {metadata: [site]}}\nserving: {bulk: {data: new}}'
        '\nmodel: {backbone: mobilenet_v2_035, weights: random}\n'
    )
    project = Project.of(loading.parse(text, 'thawline.yaml'), tmp_path)
    project.output.mkdir(parents=True)
    nodes = {node.id: node for node in graph.build(project).components}
    drivers = {'ImageExampleGen': ingestion.Driver, 'UnlabelledExampleGen': unlabelled.Driver}
    assert checks.check_project(project).fingerprints == {
        name: driver(None).value(nodes[name].exec_properties) for name, driver in drivers.items()
    }
