"""Arguments and options that several commands share."""

from __future__ import annotations

import pathlib
import typing
from typing import Any

import click

from thawline.pipeline.config.task_grouping import Policy

if typing.TYPE_CHECKING:
    from thawline.pipeline.config.project import Project


class _Path(click.Path):
    """A path. An empty one, as of a variable that is not set, would be the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == '':
            self.fail('the path is empty', param, ctx)
        return super().convert(value, param, ctx)


PATH = _Path(path_type=pathlib.Path)
_LAST = 'last'


def load(config: pathlib.Path | None, demo: bool = False) -> Project:
    """The project of a command; where it was moved, its records move along, and a line says so."""
    from thawline.pipeline.config import loading
    from thawline.pipeline.metadata.stores import relocation

    project = loading.load_project(config, demo=demo)
    if line := relocation.relocate(project):
        from thawline.pipeline.terminal.console import echo

        echo(f'note: {line}', error=True)
    return project


def _load_project(
    context: click.Context, parameter: click.Parameter, config: pathlib.Path | None
) -> Project:
    return load(config, demo=bool(context.params.get('demo')))


def _load_any_project(
    context: click.Context, parameter: click.Parameter, config: pathlib.Path | None
) -> Project:
    return project_for_model(config, context.params.get('model') or '')


def project_for_model(config: pathlib.Path | None, model: str) -> Project:
    """The project; the folder of a model can do without one, with the settings of the demo."""
    return load(config, demo=pathlib.Path(model or '-').is_dir())


def is_project(path: str) -> bool:
    """Whether an argument is a project file, or the folder of one."""
    from thawline.pipeline.config.loading import PROJECT_FILE

    return path.endswith(('.yaml', '.yml')) or pathlib.Path(path, PROJECT_FILE).is_file()


def run_and_project(run: str, config: pathlib.Path | None) -> tuple[str, Project]:
    """Resolves `[RUN] [CONFIG]`: a lone path is the project, not the run."""
    if config is None and run != _LAST and (run.endswith('.yaml') or pathlib.Path(run).exists()):
        run, config = _LAST, pathlib.Path(run)
    return run, load(config)


run_argument = click.argument('run', default=_LAST, metavar='[RUN]')
config_argument = click.argument('config', required=False, type=PATH, metavar='[CONFIG]')
project_argument = click.argument(
    'project', required=False, type=PATH, metavar='[CONFIG]', callback=_load_project
)
# The model is an eager option of these commands.
model_project_argument = click.argument(
    'project', required=False, type=PATH, metavar='[CONFIG]', callback=_load_any_project
)
cache_option = click.option(
    '--no-cache', is_flag=True, help='Run every node, even if nothing changed.'
)
engine_option = click.option(
    '--engine',
    metavar='ENGINE',
    help='Beam engine, overrides beam.engine: local, multiprocess, portable, flink, spark or '
    'dataflow.',
)
group_option = click.option(
    '--group',
    type=click.Choice(typing.get_args(Policy)),
    help='Which nodes share a task: none; cheap ones join the node before them; those of a phase; '
    'or all before the push and all after it.',
)
yes_option = click.option('--yes', is_flag=True, help='Skip the confirmation prompt.')
