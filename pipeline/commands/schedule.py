"""`thawline schedule`: the pipeline for schedulers of others."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

import click
import rich.console

from thawline.pipeline.commands.arguments import PATH, group_option, project_argument
from thawline.pipeline.terminal import exit_codes
from thawline.pipeline.terminal.console import say

if TYPE_CHECKING:
    from thawline.pipeline.config.project import Project


@click.group()
def command() -> None:
    """Export the pipeline to Airflow, Kubeflow or Vertex AI."""


@command.command()
@project_argument
@click.option(
    '--out', required=True, type=PATH, metavar='FOLDER',
    help="Airflow's DAGs folder; the DAG gets a subfolder.",
)  # fmt: skip
@click.option('--schedule', metavar='WHEN', help='A cron expression, a preset (@daily), or none.')
@click.option('--start-date', metavar='DATE', help='First day that a backfill can reach.')
@group_option
@click.option('--retries', metavar='N', help='Retries of a failed task.')
@click.option('--retry-delay', metavar='TIME', help='Wait before a retry, such as 5m.')
@click.option('--timeout', metavar='TIME', help='Time limit of a task, such as 12h.')
@click.option('--pool', metavar='NAME', help='Airflow pool for tasks with a heavy node.')
@click.option('--max-active-runs', metavar='N', help='Concurrent runs.')
@click.option(
    '--url', metavar='URL', help='URL where a web server shows the output folder; tasks link to it.'
)
def airflow(project: Project, out: pathlib.Path, **options: str | None) -> None:
    """Write a DAG for Airflow 2.11 or 3 whose tasks run nodes in this environment.

    Options that are left out come from `airflow:` in the configuration.
    """
    from thawline.pipeline.orchestrators.airflow import export

    _print(export.write(project, out, options))


@command.command()
@project_argument
@click.option(
    '--out', type=PATH, metavar='FILE', help="Default: kubeflow.yaml in the project's output."
)
@click.option(
    '--platform', type=click.Choice(['kubeflow', 'vertex']), help='The platform that runs it.'
)
@click.option('--image', metavar='NAME:TAG', help='Container image, built from the Dockerfile.')
@click.option('--root', metavar='URL', help='Pipeline root: a folder in a bucket.')
@click.option('--volume', metavar='CLAIM', help='PersistentVolumeClaim that all tasks mount.')
@click.option('--secret', metavar='NAME', help='Secret with the environment variables of tasks.')
@group_option
@click.option('--retries', type=int, metavar='N', help='Retries of a failed task.')
def kubeflow(project: Project, out: pathlib.Path | None, **options: str | int | None) -> None:
    """Compile the pipeline for Kubeflow Pipelines v2 or Vertex AI Pipelines.

    A run has the parameters `data`, `budget` and `gate`. Options that are left out come from
    `kubeflow:` in the configuration.
    """
    from thawline.pipeline.orchestrators.kubeflow import export

    _print(export.write(project, out, options))


def _print(lines: Sequence[str]) -> NoReturn:
    console = rich.console.Console()
    for line in lines:
        say(console, line)
    exit_codes.leave(exit_codes.Outcome.BLESSED)
