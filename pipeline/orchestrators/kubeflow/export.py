"""`thawline schedule kubeflow`: the pipeline for Kubeflow Pipelines v2 and Vertex AI Pipelines."""

from __future__ import annotations

import contextlib
import importlib.util
import pathlib
from collections.abc import Mapping
from typing import Any

import pydantic
import rich.console

from thawline.components.shared import files
from thawline.components.shared.errors import ConfigError
from thawline.pipeline.config import errors
from thawline.pipeline.config.kubeflow import Kubeflow
from thawline.pipeline.config.models import Config
from thawline.pipeline.config.project import WEIGHTS_BY_NAME, Project
from thawline.pipeline.orchestrators.kubeflow import payload as kubeflow_payload
from thawline.pipeline.orchestrators.kubeflow import storage
from thawline.pipeline.orchestrators.kubeflow import tasks as kubeflow_tasks
from thawline.pipeline.runners import compiled_file
from thawline.pipeline.system import log_redirect

FILE = 'kubeflow.yaml'


def settings_of(config: Config, given: Mapping[str, Any]) -> Kubeflow:
    """The settings of the configuration, with those that were given at the prompt.

    Raises:
        ConfigError: an option cannot be used, or there is no image.
    """
    wanted = {name: value for name, value in given.items() if value is not None}
    try:
        found = Kubeflow.model_validate({**config.kubeflow.model_dump(), **wanted})
    except pydantic.ValidationError as error:
        raise ConfigError(errors.explain(error, Kubeflow, 'options')) from error
    if found.image is None:
        raise ConfigError(
            "kubeflow.image: no container image; build the project's Dockerfile, push it and give "
            '--image REGISTRY/NAME:TAG, or set it in the configuration'
        )
    return found


def write(project: Project, out: pathlib.Path | None, given: Mapping[str, Any]) -> list[str]:
    """Compiles a project for Kubeflow and writes the file that is submitted.

    Args:
        project: what to run.
        out: the file; by default in the project's output folder.
        given: options at the prompt, by their names in `kubeflow:`.

    Returns:
        Lines for the terminal.

    Raises:
        ConfigError: kfp is missing, or tasks in the cluster could not run.
    """
    settings = settings_of(project.config, given)
    folder = storage.folder(settings)
    storage.require_visible(project.config, settings)
    if project.config.data.schema_file is not None and not project.schema.is_file():
        raise ConfigError(f'data.schema_file: there is no file {project.schema}')
    if importlib.util.find_spec('kfp') is None:
        raise ConfigError("kfp is not installed; install it with: pip install 'thawline[kfp]'")
    reviewed = project.schema.read_text('utf-8') if project.schema.is_file() else None
    with log_redirect.redirect_output(project.logs / 'schedule.log') as terminal:
        console = rich.console.Console(file=terminal)
        waiting = console.status('starting TFX, compiling')
        with waiting if console.is_terminal else contextlib.nullcontext():
            tasks = kubeflow_tasks.tasks(_nodes(project), settings)
            text = _compiled(project.config, settings, tasks, folder, reviewed)
    path = out or project.output / FILE
    files.write_text(path, text)
    nodes = sum(len(task.nodes) for task in tasks)
    return [
        f'wrote {path}: {nodes} nodes in {len(tasks)} tasks',
        *(f'  note    {note}' for note in notes(project.config, settings)),
    ]


def _nodes(project: Project) -> list[compiled_file.Node]:
    """The nodes of the chain; which there are does not depend on files that tasks alone see."""
    from thawline.pipeline.runners import compiling

    if project.config.model.weights not in WEIGHTS_BY_NAME:
        project = project.with_weights('random')
    return [
        compiled_file.Node.model_validate(node) for node in compiling.nodes_and_pipeline(project)[0]
    ]


def _compiled(
    config: Config,
    settings: Kubeflow,
    tasks: list[kubeflow_tasks.Task],
    folder: str,
    reviewed: str | None,
) -> str:
    from thawline.pipeline.orchestrators.kubeflow import spec

    payload = kubeflow_payload.of(config, reviewed)
    arguments = ['--folder', folder, '--project', kubeflow_payload.text(payload)]
    if settings.platform == 'vertex' and settings.secret is not None:
        arguments += ['--secret', settings.secret]
    return spec.compiled(
        kubeflow_tasks.pipeline_name(config.name),
        f'{config.name}, thawline {payload.thawline}, code {payload.code}',
        tasks,
        settings,
        arguments,
        kubeflow_payload.parameters(config),
        storage.variables(config),
        folder,
    )


def notes(config: Config, settings: Kubeflow) -> list[str]:
    """What is worth a thought before the pipeline is submitted."""
    found = []
    if config.metadata.postgresql is None:
        found.append(
            'metadata in SQLite: right on a volume of a disk that one machine has at a time, wrong '
            'on a network file system or a bucket; metadata.postgresql is right everywhere'
        )
    if config.model.weights == 'imagenet':
        found.append(
            'model.weights imagenet: every task that needs them downloads them; a file in '
            f'{storage.folder(settings)} is read by all'
        )
    return found
