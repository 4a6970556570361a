"""The command `thawline`. Imports here are light: help must answer at once."""

from __future__ import annotations

import pathlib
import sys
from typing import TYPE_CHECKING, Any

import click

import pipeline
from components.errors import UserError

if TYPE_CHECKING:
    from pipeline.paths import Project
    from pipeline.run import Options

_BAD_CONFIGURATION = 2
_LAST = 'last'

_config_argument = click.argument(
    'config', required=False, type=click.Path(path_type=pathlib.Path), metavar='[CONFIG]'
)

_run_argument = click.argument('run', default=_LAST, metavar='[RUN]')


class _Group(click.Group):
    """Shows errors that a person can mend as one message, without a traceback."""

    def invoke(self, context: click.Context) -> object:
        try:
            return super().invoke(context)
        except UserError as error:
            from components.errors import DataError

            click.echo(f'error: {error}', err=True)
            sys.exit(4 if isinstance(error, DataError) else _BAD_CONFIGURATION)


@click.group(cls=_Group, context_settings={'help_option_names': ['-h', '--help']})
@click.version_option(pipeline.__version__, prog_name='thawline')
def main() -> None:
    r"""Turns a small folder of labelled images into a model that can be deployed.

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


@main.command()
@_config_argument
@click.option('--from', 'first', multiple=True, metavar='NODE', help='Start at this node.')
@click.option('--to', 'last', multiple=True, metavar='NODE', help='Stop after this node.')
@click.option('--only', metavar='NODE', help='Run this node alone, on the latest results.')
@click.option('--no-cache', is_flag=True, help='Run every node, also where nothing changed.')
def run(
    config: pathlib.Path | None,
    first: tuple[str, ...],
    last: tuple[str, ...],
    only: str | None,
    no_cache: bool,
) -> None:
    """Runs the chain: from images to a blessed model, or to the reason why not."""
    if only and (first or last):
        raise click.UsageError('--only cannot be combined with --from or --to')
    from pipeline import run as run_lib

    if only:
        first = last = (only,)
    options: Options = run_lib.Options(first, last, not no_cache)
    outcome = run_lib.execute(*run_lib.project_of(config), options)
    run_lib.leave(outcome)


@main.command()
@_config_argument
@click.option('--last', 'count', default=20, show_default=True, help='How many runs at most.')
def runs(config: pathlib.Path | None, count: int) -> None:
    """Lists past runs, from the metadata."""
    from pipeline import history
    from pipeline import run as run_lib

    history.show(run_lib.project_of(config)[1], count)


def _run_of_project(run: str, config: pathlib.Path | None) -> tuple[str, Project]:
    """The run that is meant and its project: a path alone is the project, not the run."""
    from pipeline import run as run_lib

    if config is None and run != _LAST and (run.endswith('.yaml') or pathlib.Path(run).exists()):
        run, config = _LAST, pathlib.Path(run)
    return run, run_lib.project_of(config)[1]


@main.command()
@_run_argument
@_config_argument
@click.option('--port', default=0, type=click.IntRange(0, 65_535), help='By default a free one.')
@click.option('--no-open', is_flag=True, help='Print the address only.')
def review(run: str, config: pathlib.Path | None, port: int, no_open: bool) -> None:
    """Shows the report of a run in the browser, from a server on this machine alone.

    RUN is the id of a run as `thawline runs` prints it, its beginning, or `last`.
    """
    from pipeline import review_command

    run, project = _run_of_project(run, config)
    review_command.execute(project, run, port, not no_open)


@main.command()
@_run_argument
@_config_argument
@click.option('--format', 'kind', default='md', type=click.Choice(['md', 'html', 'json']))
@click.option(
    '--out', type=click.Path(path_type=pathlib.Path), metavar='FILE', help='Write it there.'
)
def report(run: str, config: pathlib.Path | None, kind: str, out: pathlib.Path | None) -> None:
    """Prints the report of a run: Markdown for a pull request, the page, or all as JSON.

    RUN is the id of a run as `thawline runs` prints it, its beginning, or `last`.
    """
    from pipeline import report_command

    run, project = _run_of_project(run, config)
    report_command.execute(project, run, kind, out)


@main.command()
@click.argument('first', metavar='A')
@click.argument('second', metavar='B')
@_config_argument
@click.option('--format', 'kind', default='html', type=click.Choice(['html', 'md']))
@click.option('--open', 'browse', is_flag=True, help='Open the page in the browser.')
def compare(first: str, second: str, config: pathlib.Path | None, kind: str, browse: bool) -> None:
    """Compares run B with run A on the images that both evaluated.

    A and B are ids of runs as `thawline runs` prints them, their beginnings, or `last`.
    """
    from pipeline import compare_command
    from pipeline import run as run_lib

    compare_command.execute(run_lib.project_of(config)[1], first, second, kind, browse)


@main.command()
@click.argument('folder', type=click.Path(path_type=pathlib.Path))
@click.option('--data', required=True, help='Folder, CSV manifest or TFRecord files with images.')
@click.option('--force', is_flag=True, help='Replace an existing thawline.yaml.')
def init(folder: pathlib.Path, data: str, force: bool) -> None:
    """Writes a commented thawline.yaml for your own images from a quick scan."""
    from pipeline import init as init_lib

    init_lib.write(folder, data, force)


@main.command()
@_config_argument
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
    from pipeline import bases as bases_lib
    from pipeline import bases_command
    from pipeline import run as run_lib

    chosen, at = bases_lib.names(names), bases_lib.sizes(sizes)
    project = run_lib.project_of(config)
    run_lib.leave(bases_command.execute(*project, images, chosen, at, weights, download))


@main.command()
@_config_argument
@click.option('--no-cache', is_flag=True, help='Run every node, also where nothing changed.')
def tune(config: pathlib.Path | None, no_cache: bool) -> None:
    """Tries other settings of training on your images; takes as long as a few trainings."""
    from pipeline import run as run_lib
    from pipeline import tune_command

    run_lib.leave(tune_command.execute(*run_lib.project_of(config), not no_cache))


@main.command()
@click.argument('sources', nargs=-1, required=True, metavar='FOLDER|CSV|TFRECORD|IMAGE...')
@click.option(
    '--model',
    'wanted',
    default='production',
    show_default=True,
    metavar='MODEL',
    help='production, staging, last, the id of a model or run, or a folder.',
)
@click.option(
    '--to',
    'target',
    default='predictions.csv',
    show_default=True,
    type=click.Path(path_type=pathlib.Path),
    metavar='FILE',
    help='The table: .csv, .jsonl or .parquet.',
)
@click.option('--config', type=click.Path(path_type=pathlib.Path), metavar='CONFIG')
@click.option(
    '--abstain-below',
    type=click.FloatRange(0, 1),
    metavar='SCORE',
    help="Mark answers with a lower score; by default the model's own bound, if it has one.",
)
@click.option('--force', is_flag=True, help='Replace an existing table.')
def predict(
    sources: tuple[str, ...],
    wanted: str,
    target: pathlib.Path,
    config: pathlib.Path | None,
    abstain_below: float | None,
    force: bool,
) -> None:
    """Predicts many images: label, score and probabilities of each, as one table.

    Files that cannot be used are in FILE.quarantine.csv, with the reasons.
    """
    from pipeline import predict_command
    from pipeline import run as run_lib

    outcome = predict_command.execute(
        *run_lib.project_of(config), sources, wanted, target, abstain_below, force
    )
    run_lib.leave(outcome)


@main.command()
@_config_argument
@click.option(
    '--stage',
    default='production',
    show_default=True,
    type=click.Choice(['production', 'staging']),
    help='Whose highest version.',
)
@click.option(
    '--model',
    metavar='MODEL',
    help='A SavedModel, a folder of versions, or the id of a model or run instead.',
)
@click.option('--name', metavar='NAME', help="In the addresses; by default the project's.")
@click.option('--host', metavar='ADDRESS', help='Listen there; by default on this machine alone.')
@click.option(
    '--port',
    default=8501,
    show_default=True,
    type=click.IntRange(0, 65_535),
    help='Of REST and the page; 0: any free one.',
)
@click.option(
    '--grpc-port',
    default=8500,
    show_default=True,
    type=click.IntRange(1, 65_535),
    help='Of TensorFlow Serving.',
)
@click.option('--python', is_flag=True, help='Not TensorFlow Serving, even where it is.')
@click.option(
    '--max-body',
    default=32,
    show_default=True,
    type=click.IntRange(1, 1024),
    metavar='MB',
    help='Largest request.',
)
@click.option(
    '--max-batch', default=256, show_default=True, type=click.IntRange(1), help='Rows a request.'
)
@click.option(
    '--max-pixels',
    default=50_000_000,
    show_default=True,
    type=click.IntRange(1),
    help='Of all images of a request.',
)
@click.option(
    '--grace',
    default=20,
    show_default=True,
    type=click.IntRange(0, 3600),
    metavar='SECONDS',
    help='For running requests, when the server is asked to end.',
)
def serve(
    config: pathlib.Path | None,
    max_body: int,
    max_batch: int,
    max_pixels: int,
    **options: Any,
) -> None:
    """Serves the model in production over HTTP, with a page to try it out.

    By TensorFlow Serving where tensorflow_model_server or docker is, else by a small server with
    the same REST interface.
    """
    from components.server.limits import Limits
    from pipeline import run as run_lib
    from pipeline import serve_command

    limits = Limits(max_body * 2**20, max_batch, max_pixels)
    asked = serve_command.Options(limits=limits, **options)
    sys.exit(serve_command.execute(*run_lib.project_of(config), asked))


@main.command('models')
@_config_argument
@click.option('--last', 'count', default=20, show_default=True, help='How many models at most.')
def models_(config: pathlib.Path | None, count: int) -> None:
    """Lists models: what they were made from, how good they are, where they are served."""
    from pipeline import models_command
    from pipeline import run as run_lib

    models_command.execute(*run_lib.project_of(config), count)


@main.command()
@click.argument('model', metavar='MODEL')
@_config_argument
@click.option(
    '--to',
    'stage',
    default='production',
    show_default=True,
    type=click.Choice(['staging', 'production']),
)
@click.option('--reason', default='', metavar='TEXT', help='Why; kept with the promotion.')
@click.option('--force', is_flag=True, help='Also a model that is not blessed; needs --reason.')
@click.option('--yes', is_flag=True, help='Do not ask.')
def promote(
    model: str, config: pathlib.Path | None, stage: str, reason: str, force: bool, yes: bool
) -> None:
    """Puts a blessed model into production, as the next version, all at once.

    MODEL is an id as `thawline models` prints it, a run or its beginning, `staging`, `last`, or the
    folder of a model. What is in production is compared with it before you are asked.
    """
    from pipeline import promote_command
    from pipeline import run as run_lib

    project = run_lib.project_of(config)
    sys.exit(promote_command.execute(*project, model, stage, reason, force, yes))


@main.command()
@_config_argument
@click.option('--reason', default='', metavar='TEXT', help='Why; kept with the rollback.')
@click.option('--yes', is_flag=True, help='Do not ask.')
def rollback(config: pathlib.Path | None, reason: str, yes: bool) -> None:
    """Serves again what was in production before; once more goes back one step more."""
    from pipeline import rollback_command
    from pipeline import run as run_lib

    sys.exit(rollback_command.execute(*run_lib.project_of(config), reason, yes))


@main.command('history')
@_config_argument
@click.option('--last', 'count', default=20, show_default=True, help='How many entries at most.')
def ledger(config: pathlib.Path | None, count: int) -> None:
    """Lists promotions, rollbacks and prunes: when, what, who and why."""
    from pipeline import ledger_command
    from pipeline import run as run_lib

    ledger_command.execute(*run_lib.project_of(config), count)


@main.command()
@_config_argument
@click.option('--dry-run', is_flag=True, help='Only tell what would go.')
@click.option('--unknown', is_flag=True, help='Also versions that the registry does not know.')
@click.option('--yes', is_flag=True, help='Do not ask.')
def prune(config: pathlib.Path | None, dry_run: bool, unknown: bool, yes: bool) -> None:
    """Removes old versions from where models are served; the newest `serving.keep` stay."""
    from pipeline import prune_command
    from pipeline import run as run_lib

    sys.exit(prune_command.execute(*run_lib.project_of(config), dry_run, unknown, yes))


@main.command()
@click.argument('model', metavar='MODEL')
@_config_argument
def explain(model: str, config: pathlib.Path | None) -> None:
    """Tells the story of a model, from its images to production.

    MODEL is an id as `thawline models` prints it, a run or its beginning, `production`, `staging`,
    `last`, or the folder of a model.
    """
    from pipeline import explain_command
    from pipeline import run as run_lib

    explain_command.execute(*run_lib.project_of(config), model)


@main.command()
@_config_argument
@click.option('--force', is_flag=True, help='Replace an existing reviewed schema.')
def schema(config: pathlib.Path | None, force: bool) -> None:
    """Writes a schema proposal from the latest run, to review and keep."""
    from pipeline import run as run_lib
    from pipeline import schema_file

    schema_file.propose(*run_lib.project_of(config), force)


@main.command()
@_config_argument
def doctor(config: pathlib.Path | None) -> None:
    """Says whether the environment is sound, and how to mend what is not."""
    from pipeline import doctor_command

    sys.exit(doctor_command.show(config))


if __name__ == '__main__':
    main()
