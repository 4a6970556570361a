"""The command `thawline`. Imports here are light: help must answer at once."""

from __future__ import annotations

import os
import pathlib
import sys
from typing import TYPE_CHECKING

import click

import thawline
from thawline.components.shared.errors import UserError
from thawline.pipeline import cli_kubeflow, cli_metadata, cli_models, cli_notify, cli_schedule
from thawline.pipeline.commands import schedule, workers
from thawline.pipeline.commands.arguments import config_argument, engine_option

if TYPE_CHECKING:
    from thawline.pipeline.config.project import Project
    from thawline.pipeline.runners.run import Options

_BAD_CONFIGURATION = 2
_LAST = 'last'

_run_argument = click.argument('run', default=_LAST, metavar='[RUN]')


_HELP = """Turns a small folder of labelled images into a model that can be deployed.

CONFIG is a project file; by default ./thawline.yaml, else the preset solar_cells.

\b
Exit codes of `run`:
  0    blessed and pushed
  1    crashed
  2    bad configuration
  3    ran, not blessed
  4    stopped by data
  130  interrupted
"""

# In the order in which a project needs them.
_SECTIONS = {
    'Make a model': ('init', 'doctor', 'schema', 'bases', 'tune', 'run'),
    'Judge it': ('runs', 'review', 'report', 'compare'),
    'Release it': ('models', 'explain', 'promote', 'rollback', 'history', 'prune'),
    'Use it': ('serve', 'predict'),
    'Schedule it': (
        'compile',
        'run-node',
        'schedule',
        'notify',
        'metadata',
    ),
    'Scale it': ('workers',),
}


class _Group(click.Group):
    """Shows errors that a person can mend as one message, and commands in sections."""

    def invoke(self, context: click.Context) -> object:
        try:
            return super().invoke(context)
        except UserError as error:
            from thawline.components.shared.errors import DataError

            click.echo(f'error: {error}', err=True)
            sys.exit(4 if isinstance(error, DataError) else _BAD_CONFIGURATION)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in _SECTIONS.items():
            # Long enough for any first sentence: the formatter wraps where click would cut.
            rows = [(name, self.commands[name].get_short_help_str(limit=200)) for name in names]
            with formatter.section(title):
                formatter.write_dl(rows)


@click.group(cls=_Group, help=_HELP, context_settings={'help_option_names': ['-h', '--help']})
@click.version_option(thawline.__version__, prog_name='thawline')
def main() -> None:
    """See `_HELP`: click's mark for text that keeps its lines is no docstring's."""
    # ML Metadata would tell the terminal each time that it connects to a database.
    os.environ.setdefault('GLOG_minloglevel', '2')


@main.command()
@config_argument
@click.option('--from', 'first', multiple=True, metavar='NODE', help='Start at this node.')
@click.option('--to', 'last', multiple=True, metavar='NODE', help='Stop after this node.')
@click.option('--only', metavar='NODE', help='Run this node alone, on the latest results.')
@click.option('--no-cache', is_flag=True, help='Run every node, also where nothing changed.')
@engine_option
def run(
    config: pathlib.Path | None,
    first: tuple[str, ...],
    last: tuple[str, ...],
    only: str | None,
    no_cache: bool,
    engine: str | None,
) -> None:
    """Runs the chain: from images to a blessed model, or to the reason why not."""
    if only and (first or last):
        raise click.UsageError('--only cannot be combined with --from or --to')
    from thawline.pipeline.config import loading
    from thawline.pipeline.runners import run as run_lib
    from thawline.pipeline.terminal import exit_codes

    if only:
        first = last = (only,)
    options: Options = run_lib.Options(first, last, not no_cache, engine=engine)
    outcome = run_lib.execute(loading.load_project(config), options)
    exit_codes.leave(outcome)


@main.command()
@config_argument
@click.option('--last', 'count', default=20, show_default=True, help='How many runs at most.')
def runs(config: pathlib.Path | None, count: int) -> None:
    """Lists past runs, from the metadata."""
    from thawline.pipeline.commands import runs
    from thawline.pipeline.config import loading

    runs.show(loading.load_project(config), count)


def _run_of_project(run: str, config: pathlib.Path | None) -> tuple[str, Project]:
    """The run that is meant and its project: a path alone is the project, not the run."""
    from thawline.pipeline.config import loading

    if config is None and run != _LAST and (run.endswith('.yaml') or pathlib.Path(run).exists()):
        run, config = _LAST, pathlib.Path(run)
    return run, loading.load_project(config)


@main.command()
@_run_argument
@config_argument
@click.option('--port', default=0, type=click.IntRange(0, 65_535), help='By default a free one.')
@click.option('--no-open', is_flag=True, help='Print the address only.')
def review(run: str, config: pathlib.Path | None, port: int, no_open: bool) -> None:
    """Shows the report of a run in the browser, from a server on this machine alone.

    RUN is the id of a run as `thawline runs` prints it, its beginning, or `last`.
    """
    from thawline.pipeline.commands import review

    run, project = _run_of_project(run, config)
    review.execute(project, run, port, not no_open)


@main.command()
@_run_argument
@config_argument
@click.option('--format', 'kind', default='md', type=click.Choice(['md', 'html', 'json']))
@click.option(
    '--out', type=click.Path(path_type=pathlib.Path), metavar='FILE', help='Write it there.'
)
def report(run: str, config: pathlib.Path | None, kind: str, out: pathlib.Path | None) -> None:
    """Prints the report of a run: Markdown for a pull request, the page, or all as JSON.

    RUN is the id of a run as `thawline runs` prints it, its beginning, or `last`.
    """
    from thawline.pipeline.commands import report

    run, project = _run_of_project(run, config)
    report.execute(project, run, kind, out)


@main.command()
@click.argument('first', metavar='A')
@click.argument('second', metavar='B')
@config_argument
@click.option('--format', 'kind', default='html', type=click.Choice(['html', 'md']))
@click.option('--open', 'browse', is_flag=True, help='Open the page in the browser.')
def compare(first: str, second: str, config: pathlib.Path | None, kind: str, browse: bool) -> None:
    """Compares run B with run A on the images that both evaluated.

    A and B are ids of runs as `thawline runs` prints them, their beginnings, or `last`.
    """
    from thawline.pipeline.commands import compare
    from thawline.pipeline.config import loading

    compare.execute(loading.load_project(config), first, second, kind, browse)


@main.command()
@click.argument('folder', type=click.Path(path_type=pathlib.Path))
@click.option('--data', required=True, help='Folder, CSV manifest or TFRecord files with images.')
@click.option('--force', is_flag=True, help='Replace an existing thawline.yaml.')
def init(folder: pathlib.Path, data: str, force: bool) -> None:
    """Writes a commented thawline.yaml for your own images from a quick scan."""
    from thawline.pipeline.commands import init as init_lib

    init_lib.write(folder, data, force)


@main.command()
@config_argument
@click.option(
    '--images',
    default=1000,
    show_default=True,
    type=click.IntRange(20, 20_000),
    help='How many training images at most.',
)
@click.option('--bases', 'names', metavar='NAME,NAME', help='These bases only.')
@click.option('--sizes', metavar='128,224', help="Image sides; by default each base's own.")
@click.option(
    '--weights',
    type=click.Path(path_type=pathlib.Path),
    metavar='FOLDER',
    help="Look for weights files of Keras's names here too.",
)
@click.option('--download', is_flag=True, help='Let Keras fetch weights that are not here.')
def bases(
    config: pathlib.Path | None,
    images: int,
    names: str | None,
    sizes: str | None,
    weights: pathlib.Path | None,
    download: bool,
) -> None:
    """Ranks the bases that are here for your images, by accuracy and cost, in minutes."""
    from thawline.pipeline.base_ranking import compare as bases_lib
    from thawline.pipeline.commands import bases
    from thawline.pipeline.config import loading
    from thawline.pipeline.terminal import exit_codes

    chosen, at = bases_lib.parse_bases(names), bases_lib.parse_sizes(sizes)
    project = loading.load_project(config)
    exit_codes.leave(bases.execute(project, images, chosen, at, weights, download))


@main.command()
@config_argument
@click.option('--no-cache', is_flag=True, help='Run every node, also where nothing changed.')
def tune(config: pathlib.Path | None, no_cache: bool) -> None:
    """Tries other settings of training on your images; takes as long as a few trainings."""
    from thawline.pipeline.commands import tune
    from thawline.pipeline.config import loading
    from thawline.pipeline.terminal import exit_codes

    exit_codes.leave(tune.execute(loading.load_project(config), not no_cache))


@main.command()
@config_argument
@click.option('--force', is_flag=True, help='Replace an existing reviewed schema.')
def schema(config: pathlib.Path | None, force: bool) -> None:
    """Writes a schema proposal from the latest run, to review and keep."""
    from thawline.pipeline.commands import schema
    from thawline.pipeline.config import loading

    schema.propose(loading.load_project(config), force)


@main.command()
@config_argument
def doctor(config: pathlib.Path | None) -> None:
    """Says whether the environment is sound, and how to mend what is not."""
    from thawline.pipeline.commands import doctor

    sys.exit(doctor.show(config))


for command in (
    *cli_models.COMMANDS,
    *cli_metadata.COMMANDS,
    *cli_notify.COMMANDS,
    *cli_schedule.COMMANDS,
    *workers.COMMANDS,
    *schedule.COMMANDS,
):
    main.add_command(command)
schedule.schedule.add_command(cli_kubeflow.kubeflow)
