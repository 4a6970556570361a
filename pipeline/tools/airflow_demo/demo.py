"""`make airflow-demo`: a project under Airflow on this machine, from nothing to its report.

Installs Airflow in an environment of its own, starts it, runs the project and prints addresses, all
in one folder.
"""

from __future__ import annotations

import contextlib
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterator

import click
import requests
import rich.console
import yaml

from thawline.components.shared.durations import duration
from thawline.components.shared.errors import ConfigError, UserError
from thawline.pipeline.config import loading
from thawline.pipeline.orchestrators.airflow import export
from thawline.pipeline.system import ports, signals
from thawline.pipeline.tools.airflow_demo import file_server, server
from thawline.pipeline.tools.airflow_demo.server import AirflowInstallation, Api

FOLDER = pathlib.Path('build/airflow')
_PORT, _FILES_PORT = 8080, 8081
_POLL_SECONDS = 2.0
_RUN_ENDINGS = ('success', 'failed')
_SHOWN_STATES = (*_RUN_ENDINGS, 'skipped', 'upstream_failed', 'running', 'up_for_retry')


def write_solar_cells(folder: pathlib.Path) -> pathlib.Path:
    """Writes the preset as a project with the frozen base: minutes, not a quarter of an hour."""
    preset = loading.DEFAULT_PRESET
    settings = yaml.safe_load(loading.read_preset(preset))
    settings['training']['mode'] = 'probe'
    path = folder / preset / loading.PROJECT_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(settings, sort_keys=False), 'utf-8')
    return path


@contextlib.contextmanager
def _step(console: rich.console.Console, title: str) -> Iterator[None]:
    """Shows a step and how long it took."""
    began = time.monotonic()
    console.print(f'> {title}')
    yield
    console.print(f'  {duration(time.monotonic() - began)}')


def _show_tasks(console: rich.console.Console, api: Api, dag: str, run: str) -> str:
    """Shows tasks as their states change until the run ends; returns its state."""
    shown: dict[str, str] = {}
    state = ''
    while state not in _RUN_ENDINGS:
        time.sleep(_POLL_SECONDS)
        state = api.state(dag, run)
        for task, task_state in api.tasks(dag, run).items():
            if shown.get(task) != task_state and task_state in _SHOWN_STATES:
                shown[task] = task_state
                console.print(f'  {task_state:<16} {task}')
    return state


def _run(console: rich.console.Console, api: Api, dag: str, files: str) -> str:
    """Runs the DAG once and shows the result; returns the state of the run."""
    server.wait_until(lambda: api.knows(dag), 300, f'the DAG {dag}')
    run = api.trigger(dag)
    console.print(f'  Airflow  {api.url}/dags/{dag}  user {api.user}, password {api.password}')
    console.print(f'  report   {server.report_url(files, run)}  at the end of the run')
    with _step(console, f'run {run}'):
        try:
            state = _show_tasks(console, api, dag, run)
        except BaseException:  # also on Ctrl-C: the training must end with us
            with contextlib.suppress(requests.RequestException):
                api.stop(dag, run)
            raise
    outcome = 'failed; the log of the failed task says why'
    if state == 'success':
        is_blessed = api.tasks(dag, run)['blessed'] == 'success'
        outcome = 'BLESSED and pushed' if is_blessed else 'NOT BLESSED'
    console.print(f'  {outcome}')
    return state


@click.command()
@click.argument('project', required=False, type=click.Path(path_type=pathlib.Path))
@click.option('--folder', default=FOLDER, type=click.Path(path_type=pathlib.Path))
@click.option('--once', is_flag=True, help='End after the run.')
def main(project: pathlib.Path | None, folder: pathlib.Path, once: bool) -> None:
    """Runs PROJECT, by default the solar cells with the frozen base, under Airflow."""
    console = rich.console.Console(highlight=False, soft_wrap=True)
    folder = folder.resolve()
    airflow = AirflowInstallation(folder / 'venv', folder / 'home', folder / 'dags')
    state = ''
    try:
        path = write_solar_cells(folder) if project is None else project.resolve()
        loaded = loading.load_project(path)
        with signals.interruptible(), contextlib.ExitStack() as stack:
            with _step(console, 'installing Airflow in an environment of its own'):
                server.install(airflow.environment)
            files = stack.enter_context(
                file_server.serve(loaded.output, ports.free_port(_FILES_PORT))
            )
            with _step(console, f'compiling {loaded.name} and writing its DAG'):
                command = export.command('schedule', 'airflow', str(path))
                command += ['--out', str(airflow.dags), '--url', files]
                if subprocess.run(command, stdout=subprocess.DEVNULL).returncode:
                    raise ConfigError(f'the DAG could not be written by: {" ".join(command)}')
            with _step(console, 'starting Airflow'):
                port = ports.free_port(_PORT)
                api = stack.enter_context(server.running(airflow, port))
            state = _run(console, api, loaded.name, files)
            if not once:
                console.print('Airflow keeps running until Ctrl-C')
                while True:
                    time.sleep(3600)
    except signals.Interrupted:
        console.print('stopped')
    except (UserError, requests.RequestException, TimeoutError) as error:
        console.print(f'error: {error}', markup=False)
        sys.exit(1)
    sys.exit(0 if state == 'success' else 1)


if __name__ == '__main__':
    main()
