"""Fingerprints of sources, as drivers record them."""

from __future__ import annotations

import pathlib

import PIL.Image

from thawline.components.bulk_prediction import driver as unlabelled
from thawline.components.ingestion import driver as ingestion
from thawline.pipeline import graph
from thawline.pipeline.config import loading
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata import ingestions

from tfx.orchestration.portable import data_types  # isort: skip - after what imports TFX in order
from tfx.types import standard_artifacts  # isort: skip


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

    def read_by(name: str) -> str:
        examples = standard_artifacts.Examples()
        examples.uri = str(project.artifacts / name / 'examples' / '1')
        info = data_types.ExecutionInfo(
            exec_properties=nodes[name].exec_properties, output_dict={'examples': [examples]}
        )
        return drivers[name](None).value(info)

    assert ingestions.source_fingerprints(project) == {name: read_by(name) for name in drivers}
