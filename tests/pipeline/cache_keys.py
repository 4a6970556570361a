"""The cache keys of the chain's nodes, as TFX makes them of what it compiles.

Artifacts are inputs of the key too, so what changes a node's own key also changes those after it.
Facts outside the artifacts, which drivers read when a node is about to run, are added as the
launcher adds them.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import pathlib
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from thawline.components.shared import node_names
from thawline.pipeline import graph
from thawline.pipeline.config import loading
from thawline.pipeline.config.project import Project

from tfx.dsl.components.common import resolver  # isort: skip - after what imports TFX in order
from tfx.orchestration.portable import data_types  # isort: skip
from tfx.types import standard_artifacts  # isort: skip

BASIC: dict[str, Any] = {
    'name': 'x',
    'data': {'source': 'images'},
    'model': {'backbone': 'mobilenet_v2_035', 'weights': 'random'},
    'serving': {'bulk': {'data': 'images'}},
}
Keys = dict[str, str]


WITH_BASE = {'Embedder', 'Tuner', 'Trainer'}
EXAMPLE_GENS = {'ImageExampleGen', 'UnlabelledExampleGen'}
DATA_VALIDATION = {'StatisticsGen', 'SchemaGen', 'ExampleValidator', 'DataGate'}
AFTER_EVALUATION = {'Evaluator', 'Exporter', 'ServingCheck', 'Report'}
ALL = {
    *EXAMPLE_GENS, *DATA_VALIDATION, 'Transform', *WITH_BASE, 'DataAudit', *AFTER_EVALUATION,
    'BulkInferrer',
}  # fmt: skip


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """`one` with what `other` has, section by section."""
    result = dict(one)
    for key, value in other.items():
        inner = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if inner else value
    return result


def build(home: pathlib.Path, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The nodes that TFX's cache may serve; resolvers are asked anew in each run."""
    text = yaml.safe_dump(merged(BASIC, changes or {}))
    project = Project.of(loading.parse(text, 'thawline.yaml'), home)
    nodes = graph.build(project, tune=True).components
    return {node.id: node for node in nodes if not isinstance(node, resolver.Resolver)}


def keys(home: pathlib.Path, changes: Mapping[str, Any] | None = None) -> Keys:
    """A digest for each node of all that TFX's cache key has of it, but for input artifacts.

    Not for Pusher, whose key never recurs.
    """
    return {
        name: hashlib.sha256(repr(sorted(properties(node, home).items())).encode()).hexdigest()
        for name, node in build(home, changes).items()
        if name != node_names.PUSHER
    }


def properties(node: Any, home: pathlib.Path) -> dict[str, Any]:
    """The parameters of an execution, with what the node's driver adds."""
    parameters = {**node.exec_properties, 'executor': node.executor_spec.class_path}
    if type(node).DRIVER_CLASS.__module__.startswith('thawline.'):
        examples = standard_artifacts.Examples()
        examples.uri = str(home / 'node' / 'examples' / '1')
        info = data_types.ExecutionInfo(
            exec_properties=parameters, output_dict={'examples': [examples]}
        )
        for name, value in type(node).DRIVER_CLASS(None).run(info).exec_properties.items():
            parameters[name] = getattr(value, value.WhichOneof('value'))
    return parameters


def changed(before: Keys, after: Keys) -> set[str]:
    assert before.keys() == after.keys()
    return {node for node in before if before[node] != after[node]}


def with_library(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Another version of an installed library."""
    version = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata, 'version', lambda of: version(of) + ('.1' if of == name else '')
    )
