"""Compiles a project to TFX's intermediate representation, as JSON."""

from __future__ import annotations

from typing import Any

from thawline.pipeline import graph, tfx_imports
from thawline.pipeline.config.project import Project

from google.protobuf import json_format  # isort: skip - after tfx_imports
from tfx.dsl.compiler import compiler  # isort: skip
from tfx.orchestration.local import runner_utils  # isort: skip


def of_project(project: Project) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Nodes (`compiled_file.Node`), and the pipeline: the same for the same project."""
    return compiled(graph.build(project))


def compiled(wired: tfx_imports.Pipeline) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Nodes and the pipeline of what was wired."""
    made = compiler.Compiler().compile(wired)
    deployment = runner_utils.extract_local_deployment_config(made)
    nodes = []
    for node in (one.pipeline_node for one in made.nodes):
        spec = deployment.executor_specs.get(node.node_info.id)
        nodes.append(
            {
                'id': node.node_info.id,
                'upstream': sorted(node.upstream_nodes),
                'beam': spec is not None and spec.HasField('beam_executable_spec'),
            }
        )
    return nodes, json_format.MessageToDict(made)
