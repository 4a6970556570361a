"""Compiles a project to TFX's intermediate representation, as JSON. TFX is imported on use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from thawline.pipeline.config.project import Project
from thawline.pipeline.runners import checks, compiled_file
from thawline.pipeline.runners.compiled_file import CompiledNode, Envelope
from thawline.pipeline.terminal.run_display import show_compiling

if TYPE_CHECKING:
    from thawline.pipeline import tfx_imports


def compile_project(project: Project) -> Envelope:
    """The content of the file that schedulers read.

    Raises:
        ConfigError: the project cannot be compiled.
    """
    checks.check_files(project)
    with show_compiling(project.logs / 'compile.log'):
        return compiled_file.envelope(project, *nodes_and_pipeline(project))


def nodes_and_pipeline(project: Project) -> tuple[list[CompiledNode], dict[str, Any]]:
    """The nodes and the pipeline as JSON: the same for the same project."""
    from thawline.pipeline import graph

    return compile_pipeline(graph.build(project))


def compile_pipeline(
    wired: tfx_imports.Pipeline,
) -> tuple[list[CompiledNode], dict[str, Any]]:
    """The nodes of a pipeline, and its representation as JSON."""
    from google.protobuf import json_format
    from tfx.dsl.compiler import compiler
    from tfx.orchestration.local import runner_utils

    representation = compiler.Compiler().compile(wired)
    deployment = runner_utils.extract_local_deployment_config(representation)
    nodes = []
    for node in (entry.pipeline_node for entry in representation.nodes):
        spec = deployment.executor_specs.get(node.node_info.id)
        uses_beam = spec is not None and spec.HasField('beam_executable_spec')
        upstream = tuple(sorted(node.upstream_nodes))
        nodes.append(CompiledNode(id=node.node_info.id, upstream=upstream, beam=uses_beam))
    return nodes, json_format.MessageToDict(representation)
