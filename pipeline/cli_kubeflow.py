"""The command `schedule kubeflow`. Imports are light, as in `cli`."""

from __future__ import annotations

import pathlib

import click

from thawline.pipeline.commands.arguments import config_argument, group_option


@click.command()
@config_argument
@click.option(
    '--out',
    type=click.Path(path_type=pathlib.Path),
    metavar='FILE',
    help="Write it there; by default kubeflow.yaml in the project's output folder.",
)
@click.option('--platform', type=click.Choice(['kubeflow', 'vertex']), help='Who runs it.')
@click.option('--image', metavar='NAME:TAG', help='Container image, built by the Dockerfile.')
@click.option('--root', metavar='URL', help='Pipeline root: a folder in a bucket.')
@click.option('--volume', metavar='CLAIM', help='PersistentVolumeClaim that all tasks share.')
@click.option('--secret', metavar='NAME', help='Secret with the environment variables of tasks.')
@group_option
@click.option('--retries', type=int, metavar='N', help='How often a failed task is tried again.')
def kubeflow(
    config: pathlib.Path | None, out: pathlib.Path | None, **given: str | int | None
) -> None:
    """Compiles the pipeline for Kubeflow Pipelines v2 or Vertex AI Pipelines.

    A run has the parameters `data`, `budget` and `gate`. What is not given is taken from
    `kubeflow:` in the configuration.
    """
    from thawline.pipeline.config import loading
    from thawline.pipeline.orchestrators.kubeflow import export as kubeflow_lib
    from thawline.pipeline.terminal import exit_codes

    kubeflow_lib.write(loading.load_project(config), out, given)
    exit_codes.leave(exit_codes.Outcome.BLESSED)


COMMANDS = (kubeflow,)
