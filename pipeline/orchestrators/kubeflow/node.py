"""The command of a task in the cluster: `python -m thawline.pipeline.orchestrators.kubeflow.node`.

Compiles the project in its arguments with the parameters of the run, and runs nodes as `thawline
run-node` does. Needs neither kfp nor any network that the configuration does not name.
"""

from __future__ import annotations

import os
import pathlib
import tempfile

import click
import yaml

from thawline.components.shared import files
from thawline.components.shared.errors import ConfigError, UserError
from thawline.pipeline.config.config import Config
from thawline.pipeline.config.loading import PROJECT_FILE
from thawline.pipeline.config.project import Project
from thawline.pipeline.orchestrators.kubeflow import outputs
from thawline.pipeline.orchestrators.kubeflow import payload as kubeflow_payload
from thawline.pipeline.orchestrators.kubeflow.outputs import ExecutorInput
from thawline.pipeline.runners import compiled_file, compiling, run_nodes
from thawline.pipeline.terminal import exit_codes
from thawline.pipeline.terminal.exit_codes import Outcome


def project_of(
    payload: kubeflow_payload.Payload, task: ExecutorInput, folder: pathlib.Path
) -> Project:
    """The project of the run, in the folder that tasks see."""
    config = kubeflow_payload.apply_parameters(payload, task.parameters)
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ConfigError(
            f'{folder} is not a folder that user {os.getuid()} can write to; on Vertex AI it is '
            'the bucket of the pipeline root, on Kubeflow the volume named when the project was '
            'scheduled'
        )
    home = folder / config.name
    _write_configuration(home, config)
    if payload.reviewed is not None:
        path = kubeflow_payload.write_schema(payload.reviewed, home)
        config = config.model_copy(
            update={'data': config.data.model_copy(update={'schema_file': str(path)})}
        )
    return Project.of(config, home)


def _write_configuration(home: pathlib.Path, config: Config) -> None:
    """Writes a project file, so that other commands work wherever the folder is mounted."""
    path = home / PROJECT_FILE
    text = yaml.safe_dump(config.model_dump(mode='json', exclude_unset=True), sort_keys=False)
    if path.is_file() and path.read_text('utf-8') == text:
        return
    files.write_text(path, text)


def execute(
    payload: kubeflow_payload.Payload,
    task: ExecutorInput,
    folder: pathlib.Path,
    nodes: list[str],
    run: str,
    page: pathlib.Path | None,
) -> Outcome:
    """Runs nodes and writes the outputs that Kubeflow shows; returns the outcome.

    Args:
        payload: the project.
        task: from Kubeflow.
        folder: of all projects, as tasks see it.
        nodes: in any order.
        run: id of the run.
        page: target for a copy of the report, for a task with the Report.
    """
    project = project_of(payload, task, folder)
    with tempfile.TemporaryDirectory() as scratch:
        # Not in the project's folder, where tasks of other runs would write the same file.
        path = pathlib.Path(scratch, compiled_file.FILE)
        compiled_file.write(path, compiling.compile_project(project))
        outcome = run_nodes.execute(path, nodes, run, force=False)
    if outcome in (Outcome.BLESSED, Outcome.NOT_BLESSED):
        outputs.write(task, project, run, outcome, page)
        # A refused model is not a failure: the branch not-blessed shows it, and the report follows.
        return Outcome.BLESSED
    return outcome


@click.command()
@click.option('--nodes', required=True, help='Names, separated by commas.')
@click.option('--run', required=True, help='Id of the run.')
@click.option('--task', required=True, help="Kubeflow's executor input, as JSON.")
@click.option('--folder', required=True, type=click.Path(path_type=pathlib.Path))
@click.option('--project', required=True, help='From thawline schedule kubeflow.')
@click.option('--report', type=click.Path(path_type=pathlib.Path))
@click.option('--secret', help='In Secret Manager: a JSON object of environment variables.')
def main(
    nodes: str,
    run: str,
    task: str,
    folder: pathlib.Path,
    project: str,
    report: pathlib.Path | None,
    secret: str | None,
) -> None:
    """Run nodes of a scheduled project, as a task of Kubeflow or Vertex AI."""
    try:
        payload = kubeflow_payload.from_argument(project)
        if secret is not None:
            from thawline.pipeline.orchestrators.kubeflow import secret as kubeflow_secret

            os.environ.update(kubeflow_secret.read_variables(secret))
        executor_input = outputs.parse_input(task)
        outcome = execute(payload, executor_input, folder, nodes.split(','), run, report)
    except UserError as error:
        exit_codes.fail(error)
    exit_codes.leave(outcome)


if __name__ == '__main__':
    main()
