"""Commands about models that are made: use, serve, promote. Imports are light, as in `cli`."""

from __future__ import annotations

import pathlib
import sys
from typing import Any

import click

from thawline.pipeline.commands.arguments import config_argument, engine_option


@click.command()
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
@engine_option
def predict(
    sources: tuple[str, ...],
    wanted: str,
    target: pathlib.Path,
    config: pathlib.Path | None,
    abstain_below: float | None,
    force: bool,
    engine: str | None,
) -> None:
    """Predicts many images: label, score and probabilities of each, as one table.

    Files that cannot be used are in FILE.quarantine.csv, with the reasons.
    """
    from thawline.pipeline.commands import predict
    from thawline.pipeline.config import loading
    from thawline.pipeline.terminal import exit_codes

    outcome = predict.execute(
        loading.load_project(config), sources, wanted, target, abstain_below, force, engine
    )
    exit_codes.leave(outcome)


@click.command()
@config_argument
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
    from thawline.pipeline.commands import serve
    from thawline.pipeline.config import loading
    from thawline.pipeline.server import model_choice
    from thawline.pipeline.server.limits import RequestLimits

    limits = RequestLimits(max_body * 2**20, max_batch, max_pixels)
    asked = model_choice.ServeOptions(limits=limits, **options)
    sys.exit(serve.execute(loading.load_project(config), asked))


@click.command('models')
@config_argument
@click.option('--last', 'count', default=20, show_default=True, help='How many models at most.')
def models_(config: pathlib.Path | None, count: int) -> None:
    """Lists models: what they were made from, how good they are, where they are served."""
    from thawline.pipeline.commands import models
    from thawline.pipeline.config import loading

    models.execute(loading.load_project(config), count)


@click.command()
@click.argument('model', metavar='MODEL')
@config_argument
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
    from thawline.pipeline.commands import promote
    from thawline.pipeline.config import loading

    project = loading.load_project(config)
    sys.exit(promote.execute(project, model, stage, reason, force, yes))


@click.command()
@config_argument
@click.option('--reason', default='', metavar='TEXT', help='Why; kept with the rollback.')
@click.option('--yes', is_flag=True, help='Do not ask.')
def rollback(config: pathlib.Path | None, reason: str, yes: bool) -> None:
    """Serves again what was in production before; once more goes back one step more."""
    from thawline.pipeline.commands import rollback
    from thawline.pipeline.config import loading

    sys.exit(rollback.execute(loading.load_project(config), reason, yes))


@click.command('history')
@config_argument
@click.option('--last', 'count', default=20, show_default=True, help='How many entries at most.')
def ledger(config: pathlib.Path | None, count: int) -> None:
    """Lists promotions, rollbacks and prunes: when, what, who and why."""
    from thawline.pipeline.commands import history
    from thawline.pipeline.config import loading

    history.execute(loading.load_project(config), count)


@click.command()
@config_argument
@click.option('--dry-run', is_flag=True, help='Only tell what would go.')
@click.option('--unknown', is_flag=True, help='Also versions that the registry does not know.')
@click.option('--yes', is_flag=True, help='Do not ask.')
def prune(config: pathlib.Path | None, dry_run: bool, unknown: bool, yes: bool) -> None:
    """Removes old versions from where models are served; the newest `serving.keep` stay."""
    from thawline.pipeline.commands import prune
    from thawline.pipeline.config import loading

    sys.exit(prune.execute(loading.load_project(config), dry_run, unknown, yes))


@click.command()
@click.argument('model', metavar='MODEL')
@config_argument
def explain(model: str, config: pathlib.Path | None) -> None:
    """Tells the story of a model, from its images to production.

    MODEL is an id as `thawline models` prints it, a run or its beginning, `production`, `staging`,
    `last`, or the folder of a model.
    """
    from thawline.pipeline.commands import explain
    from thawline.pipeline.config import loading

    explain.execute(loading.load_project(config), model)


COMMANDS = (predict, serve, models_, promote, rollback, ledger, prune, explain)
