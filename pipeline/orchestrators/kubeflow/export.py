"""`thawline schedule kubeflow`: a file for Kubeflow Pipelines v2 or Vertex AI Pipelines."""

from __future__ import annotations

import importlib.util
import pathlib
from collections.abc import Mapping
from typing import Any

from thawline.components.shared import files
from thawline.components.shared.errors import ConfigError, NotFound
from thawline.pipeline.config.config import Config
from thawline.pipeline.config.kubeflow import Kubeflow
from thawline.pipeline.config.project import WEIGHTS_BY_NAME, Project
from thawline.pipeline.orchestrators.kubeflow import payload as kubeflow_payload
from thawline.pipeline.orchestrators.kubeflow import storage
from thawline.pipeline.orchestrators.kubeflow import tasks as kubeflow_tasks
from thawline.pipeline.orchestrators.options import override
from thawline.pipeline.runners import compiled_file
from thawline.pipeline.terminal.run_display import show_compiling

FILE = 'kubeflow.yaml'


def settings_of(config: Config, options: Mapping[str, Any]) -> Kubeflow:
    """The settings of the configuration with the options at the prompt; there must be an image."""
    settings = override(config.kubeflow, options)
    if settings.image is None:
        raise ConfigError(
            "kubeflow.image: no container image; build the project's Dockerfile, push it and give "
            '--image REGISTRY/NAME:TAG, or set it in the configuration'
        )
    return settings


def write(project: Project, out: pathlib.Path | None, options: Mapping[str, Any]) -> list[str]:
    """Compiles a project for Kubeflow, writes the file to submit, and returns lines to print.

    Options have the names of `kubeflow:`; None where not given.
    """
    settings = settings_of(project.config, options)
    folder = storage.folder(settings)
    storage.require_visible(project.config, settings)
    if project.config.data.schema_file is not None and not project.schema.is_file():
        raise NotFound(f'data.schema_file: there is no file {project.schema}')
    if importlib.util.find_spec('kfp') is None:
        raise ConfigError("kfp is not installed; install it with: pip install 'thawline[kfp]'")
    reviewed = project.schema.read_text('utf-8') if project.schema.is_file() else None
    with show_compiling(project.logs / 'schedule.log'):
        tasks = kubeflow_tasks.tasks(_nodes(project), settings)
        text = _compile(project.config, settings, tasks, folder, reviewed)
    path = out or project.output / FILE
    files.write_text(path, text)
    nodes = sum(len(task.nodes) for task in tasks)
    return [
        f'wrote {path}: {nodes} nodes in {len(tasks)} tasks',
        *(f'  note    {note}' for note in notes(project.config, settings)),
    ]


def _nodes(project: Project) -> list[compiled_file.CompiledNode]:
    """The nodes of the chain, without reading weights that only tasks can see."""
    from thawline.pipeline.runners import compiling

    if project.config.model.weights not in WEIGHTS_BY_NAME:
        project = project.with_weights('random')
    return compiling.nodes_and_pipeline(project)[0]


def _compile(
    config: Config,
    settings: Kubeflow,
    tasks: list[kubeflow_tasks.Task],
    folder: str,
    reviewed: str | None,
) -> str:
    from thawline.pipeline.orchestrators.kubeflow import spec

    payload = kubeflow_payload.describe(config, reviewed)
    arguments = ['--folder', folder, '--project', kubeflow_payload.to_argument(payload)]
    if settings.platform == 'vertex' and settings.secret is not None:
        arguments += ['--secret', settings.secret]
    return spec.compile_spec(
        kubeflow_tasks.pipeline_name(config.name),
        f'{config.name}, thawline {payload.thawline}, code {payload.code}',
        tasks,
        settings,
        arguments,
        kubeflow_payload.default_parameters(config),
        storage.environment_variables(config),
        folder,
    )


def notes(config: Config, settings: Kubeflow) -> list[str]:
    """Advice before the pipeline is submitted."""
    lines = []
    if config.metadata.postgresql is None:
        lines.append(
            'metadata in SQLite: safe on a volume that one machine mounts at a time, unsafe on a '
            'network file system or a bucket; metadata.postgresql is safe everywhere'
        )
    if config.model.weights == 'imagenet':
        lines.append(
            'model.weights imagenet: every task that needs the weights downloads them; a file in '
            f'{storage.folder(settings)} avoids that'
        )
    return lines
