"""The commands `schedule ...`: the pipeline for schedulers of others. Imports are light."""

from __future__ import annotations

import pathlib

import click

from thawline.pipeline.commands.arguments import config_argument, group_option


@click.group()
def schedule() -> None:
    """Hands the pipeline to a scheduler: Airflow, Kubeflow or Vertex AI."""


@schedule.command()
@config_argument
@click.option(
    '--out',
    required=True,
    type=click.Path(path_type=pathlib.Path),
    metavar='FOLDER',
    help="Airflow's folder of DAGs; the DAG gets a folder of its own in it.",
)
@click.option('--schedule', metavar='WHEN', help='A cron expression, such as @daily, or none.')
@click.option('--start-date', metavar='DATE', help='First day that a backfill can reach.')
@group_option
@click.option('--retries', metavar='N', help='How often a failed task is tried again.')
@click.option('--retry-delay', metavar='TIME', help='Wait before a retry, such as 5m.')
@click.option('--timeout', metavar='TIME', help='Longest time of a task, such as 12h.')
@click.option('--pool', metavar='NAME', help="Airflow's pool for tasks with a heavy node.")
@click.option('--max-active-runs', metavar='N', help='Runs at the same time.')
@click.option('--url', help='Where a web server shows the output folder; tasks link to it.')
def airflow(config: pathlib.Path | None, out: pathlib.Path, **given: str | None) -> None:
    """Writes a DAG for Airflow 2.11 or 3: each task runs nodes in this environment.

    What is not given is taken from `airflow:` in the configuration.
    """
    from thawline.pipeline.config import loading
    from thawline.pipeline.orchestrators.airflow import export
    from thawline.pipeline.terminal import exit_codes

    export.write_airflow(loading.load_project(config), out, given)
    exit_codes.leave(exit_codes.Outcome.BLESSED)


COMMANDS = (schedule,)
