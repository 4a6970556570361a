"""The size of a node's input: what is read image by image, not files that are only looked up."""

from __future__ import annotations

import pathlib
from typing import Any

from thawline.pipeline.engines import input_size

from tfx.orchestration.portable import data_types  # isort: skip - after what imports TFX in order
from tfx.types import standard_artifacts  # isort: skip


def examples(folder: pathlib.Path, megabytes: int) -> list[Any]:
    (folder / 'Split-train').mkdir(parents=True)
    with (folder / 'Split-train' / 'data').open('wb') as file:
        file.truncate(megabytes * 10**6)
    artifact = standard_artifacts.Examples()
    artifact.uri = str(folder)
    return [artifact]


def test_examples_count_where_they_are_read(tmp_path: pathlib.Path) -> None:
    model = standard_artifacts.Model()
    model.uri = str(tmp_path / 'own')
    inputs = {
        'examples': examples(tmp_path / 'own', 3),
        'seen_examples': examples(tmp_path / 'seen', 5),
        'baseline_seen_examples': examples(tmp_path / 'baseline', 7),
        'model': [model],
    }
    info = data_types.ExecutionInfo(input_dict=inputs, exec_properties={})
    assert input_size.of_node(info) == 3.0
