"""`thawline schedule airflow`: the pipeline as a DAG in Airflow's DAGs folder."""

from __future__ import annotations

import pathlib
import shlex
import sys
import sysconfig
from collections.abc import Mapping
from typing import Any

import thawline
from thawline.pipeline.config.project import Project
from thawline.pipeline.orchestrators.airflow import dag_folder, tasks
from thawline.pipeline.orchestrators.options import override
from thawline.pipeline.runners import compiling


def command(*arguments: str) -> list[str]:
    """A command that runs `thawline` from any folder, with this environment and this code."""
    return [sys.executable, '-P', '-m', 'thawline', *arguments]


def environment() -> dict[str, str]:
    """Variables for `command`: they name a checkout, and keep Airflow's own modules out."""
    installed = pathlib.Path(sysconfig.get_path('purelib')).resolve()
    return {
        'PYTHONPATH': '' if installed == thawline.ROOT.resolve() else str(thawline.ROOT),
        'PYTHONHOME': '',
    }


def write(project: Project, out: pathlib.Path, options: Mapping[str, Any]) -> list[str]:
    """Compiles a project, writes its DAG into Airflow's DAGs folder, and returns lines to print.

    Options have the names of `airflow:`; None where not given.
    """
    settings = override(project.config.airflow, options)
    folder = out.expanduser().resolve() / project.name
    dag_folder.check(folder, project.home)
    content = compiling.compile_project(project)
    dag = tasks.dag(content, settings, command('run-node'), environment())
    dag_folder.write(folder, content, dag)
    lines = [
        f'wrote {folder}: {len(content.nodes)} nodes in {len(dag["tasks"])} tasks, '
        f'{settings.schedule or "started by hand"}, {content.digest[:19]}'
    ]
    if settings.pool is not None:
        create = f'airflow pools set {shlex.quote(settings.pool)} 1 "heavy nodes of thawline"'
        lines.append(f'  the pool must exist: {create}')
    return lines
