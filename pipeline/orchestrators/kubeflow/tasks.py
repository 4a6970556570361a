"""A compiled pipeline as tasks for Kubeflow: pure functions, without TFX and without kfp."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence

from thawline.components.shared import node_names
from thawline.components.shared.errors import ConfigError
from thawline.pipeline.config.kubeflow import Kubeflow, Resources
from thawline.pipeline.orchestrators.node_groups import group_nodes
from thawline.pipeline.runners import compiled_file

# Outputs of tasks with these nodes, by the names that Kubeflow shows.
MEASURES, VERDICT, WHY, PAGE = 'measures', 'verdict', 'why', 'report'
BLESSED, REFUSED = 'blessed', 'refused'  # values of a verdict
# TensorFlow and TFX alone take 1.2 GB; docs/kubeflow.md has the measurements of nodes.
_LIGHT = Resources(cpu=2, memory='4Gi')
_BEAM = Resources(cpu=4, memory='8Gi')
_MODEL = Resources(cpu=8, memory='16Gi')
_RUN_THE_MODEL = (
    node_names.EMBEDDER,
    node_names.TUNER,
    node_names.TRAINER,
    node_names.EVALUATOR,
    node_names.BULK_INFERRER,
)
_UNITS = {'': 1, 'K': 10**3, 'M': 10**6, 'G': 10**9, 'T': 10**12} | {
    'Ki': 2**10, 'Mi': 2**20, 'Gi': 2**30, 'Ti': 2**40,
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Task:
    """Nodes that one container runs, in this order, after the tasks (by number) upstream."""

    id: str
    nodes: tuple[str, ...]
    upstream: tuple[int, ...]
    resources: Resources


def tasks(nodes: Sequence[compiled_file.CompiledNode], settings: Kubeflow) -> list[Task]:
    """The tasks, in an order in which they can run."""
    known = {node.id for node in nodes}
    unknown = sorted(settings.resources.keys() - known)
    if unknown:
        raise ConfigError(
            f'kubeflow.resources: no node {unknown[0]!r}; there are: '
            f'{", ".join(node.id for node in nodes)}'
        )
    needs = {node.id: _needs(node, settings.resources) for node in nodes}
    return [
        Task(
            group.name,
            group.nodes,
            group.upstream,
            _maximum([needs[name] for name in group.nodes]),
        )
        for group in group_nodes(nodes, settings.group)
    ]


def _needs(node: compiled_file.CompiledNode, configured: Mapping[str, Resources]) -> Resources:
    default = _LIGHT
    if node.id in _RUN_THE_MODEL:
        default = _MODEL
    elif node.beam:
        default = _BEAM
    own = configured.get(node.id, Resources())
    return own.model_copy(
        update={'cpu': own.cpu or default.cpu, 'memory': own.memory or default.memory}
    )


def _maximum(needs: Sequence[Resources]) -> Resources:
    """The needs of a container that runs nodes one after the other."""
    kinds = {need.accelerator for need in needs if need.accelerator}
    if len(kinds) > 1:
        raise ConfigError(
            f'kubeflow.resources: nodes of one task need different accelerators '
            f'({", ".join(sorted(kinds))}); give them the same one, or set group: none'
        )
    return Resources(
        cpu=max(need.cpu or 0 for need in needs),
        memory=max((need.memory or '1Mi' for need in needs), key=bytes_of),
        accelerator=next(iter(kinds), None),
        accelerators=max(need.accelerators for need in needs if not kinds or need.accelerator),
    )


def bytes_of(memory: str) -> float:
    """Bytes of an amount of memory with its unit: '2Ki' is 2048.0."""
    match = re.fullmatch(r'([\d.]+)([A-Za-z]*)', memory)
    assert match is not None  # checked by the model
    return float(match[1]) * _UNITS[match[2]]


def pipeline_name(name: str) -> str:
    """The project's name for Kubeflow and Vertex AI, which allow no underscore."""
    return name.replace('_', '-')
