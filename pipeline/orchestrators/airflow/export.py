"""`thawline schedule`: hands the pipeline to schedulers of others."""

from __future__ import annotations

import pathlib
import shlex
import sys
import sysconfig
from collections.abc import Mapping
from typing import Any

import pydantic

import thawline
from thawline.components.shared.errors import ConfigError
from thawline.pipeline.config import errors
from thawline.pipeline.config.airflow import Airflow
from thawline.pipeline.config.models import Config
from thawline.pipeline.config.project import Project
from thawline.pipeline.orchestrators.airflow import dag_folder, tasks
from thawline.pipeline.runners import compiling


def settings_of(config: Config, given: Mapping[str, Any]) -> Airflow:
    """The settings of the configuration, with those that were given at the prompt.

    Raises:
        ConfigError: an option cannot be used.
    """
    wanted = {name: value for name, value in given.items() if value is not None}
    try:
        return Airflow.model_validate({**config.airflow.model_dump(), **wanted})
    except pydantic.ValidationError as error:
        raise ConfigError(errors.explain(error, Airflow, 'options')) from error


def command(*arguments: str) -> list[str]:
    """Runs `thawline` from any folder: this environment's interpreter and this very code."""
    return [sys.executable, '-P', '-m', 'thawline', *arguments]


def environment() -> dict[str, str]:
    """Variables that `command` needs; they also keep Airflow's own modules away from it.

    Code that is installed in the environment is found there; a checkout has to be named.
    """
    installed = pathlib.Path(sysconfig.get_path('purelib')).resolve()
    return {
        'PYTHONPATH': '' if installed == thawline.ROOT.resolve() else str(thawline.ROOT),
        'PYTHONHOME': '',
    }


def write_airflow(project: Project, out: pathlib.Path, given: Mapping[str, Any]) -> list[str]:
    """Compiles a project and writes its DAG into Airflow's folder of DAGs.

    Args:
        project: what to run.
        out: Airflow's folder of DAGs.
        given: settings that take the place of those in the configuration; None: not given.

    Returns:
        Lines for the terminal.

    Raises:
        ConfigError: the project cannot be compiled, or the folder not be written.
    """
    settings = settings_of(project.config, given)
    folder = out.expanduser().resolve() / project.name
    dag_folder.check(folder, project.home)
    content = compiling.compile_project(project)
    made = tasks.dag(content, settings, command('run-node'), environment())
    dag_folder.write(folder, content, made)
    lines = [
        f'wrote {folder}: {len(content["nodes"])} nodes in {len(made["tasks"])} tasks, '
        f'{settings.schedule or "started by hand"}, {content["digest"][:19]}'
    ]
    if settings.pool is not None:
        create = f'airflow pools set {shlex.quote(settings.pool)} 1 "heavy nodes of thawline"'
        lines.append(f'  the pool must exist: {create}')
    return lines
