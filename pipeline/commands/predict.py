"""`thawline predict`: a model's predictions for a folder, a list or TFRecords, as one table."""

from __future__ import annotations

import logging
import pathlib
import re
import time
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
import rich.console

from thawline.components.shared.durations import duration
from thawline.components.shared.errors import ConfigError, DataError, NotFound
from thawline.pipeline.commands.arguments import (
    PATH,
    engine_option,
    is_project,
    project_for_model,
)
from thawline.pipeline.commands.logged_work import log_path, run_logged
from thawline.pipeline.terminal import exit_codes
from thawline.pipeline.terminal.console import say, spinner
from thawline.pipeline.terminal.exit_codes import Outcome

if TYPE_CHECKING:
    from thawline.components.bulk_prediction.listing import UnlabelledListing
    from thawline.pipeline.config.project import Project
    from thawline.pipeline.prediction.batch import PredictionResult


@click.command()
@click.argument('sources', nargs=-1, required=True, metavar='FOLDER|CSV|TFRECORD|IMAGE... [CONFIG]')
@click.option(
    '--model',
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
    type=PATH,
    metavar='FILE',
    help='Table to write: .csv, .jsonl or .parquet.',
)
@click.option('--config', type=PATH, help='Project file or its folder; also as the last argument.')
@click.option(
    '--abstain-below',
    type=click.FloatRange(0, 1),
    metavar='SCORE',
    help="Mark predictions with a lower score; default: the model's own threshold, if any.",
)
@click.option('--force', is_flag=True, help='Replace an existing table.')
@engine_option
def command(
    config: pathlib.Path | None,
    sources: tuple[str, ...],
    model: str,
    target: pathlib.Path,
    abstain_below: float | None,
    force: bool,
    engine: str | None,
) -> None:
    """Predict many images and write the results to a table.

    The table has label, score and probabilities of each image. Unusable files go to
    FILE.quarantine.csv, with the reasons.
    """
    if config is None and len(sources) > 1 and is_project(sources[-1]):
        *images, last = sources
        sources, config = tuple(images), pathlib.Path(last)
    project = project_for_model(config, model).on_engine(engine)
    exit_codes.leave(predict(project, sources, model, target, abstain_below, force))


def predict(
    project: Project,
    sources: Sequence[str],
    model: str,
    target: pathlib.Path,
    abstain_below: float | None = None,
    force: bool = False,
) -> Outcome:
    """Predicts and prints what came of it.

    Args:
        sources: folders, CSV lists, TFRecord files and images.
        model: as `lookup.find_saved_model` takes it.
        target: the table.
        abstain_below: replaces the model's own threshold.
        force: whether an existing table may be replaced.

    Raises:
        ConfigError, DataError: what the user can fix.
    """
    from thawline.components.bulk_prediction import listing
    from thawline.components.ingestion import quarantine
    from thawline.pipeline.prediction import model_card, tables
    from thawline.pipeline.registry import integrity, lookup

    began = time.monotonic()
    _check_target(target, force)
    target = target.absolute()
    folder = lookup.find_saved_model(project, model)
    note = integrity.check_folder(project, folder)
    threshold = model_card.abstention_threshold(model_card.read_card(folder))
    if abstain_below is None:
        abstain_below = threshold
    # A table in the folder of images is not one of them.
    written = {str(target), str(tables.quarantine_path(target))}
    images = listing.of_sources(sources, project.config.data.columns, written)

    def work(console: rich.console.Console) -> None:
        say(console, ('predict', 'bold'), f'  {_count_text(images)} with {folder}')
        if note:
            say(console, ('note: ', 'yellow'), note)
        result = _run(console, project, images, folder, target, abstain_below)
        if not result.predicted:
            raise DataError(
                f'none of {len(result.rejected):,} images could be used: '
                f'{quarantine.in_words(result.rejected)}. See {tables.quarantine_path(target)}.'
            )
        took = duration(time.monotonic() - began)
        say(console, ('✓ ', 'green'), summary(result, target), f' in {took}')

    return run_logged(log_path(project, 'predict'), work)


def _check_target(target: pathlib.Path, force: bool) -> None:
    """Refuses a table that could not be written, before anything heavy starts."""
    from thawline.pipeline.prediction import tables

    if re.match(r'[A-Za-z][\w+.-]*:/', str(target)):  # pathlib makes one slash of two
        raise ConfigError(f'--to must be a file on this machine. Received: {str(target)!r}.')
    tables.table_kind(target)
    if not target.absolute().parent.is_dir():
        raise NotFound(f'--to: there is no folder {target.absolute().parent}')
    for path in (target, tables.quarantine_path(target)):
        if path.is_dir() or (path.exists() and not force):
            remedy = '' if path.is_dir() else '; replace it with --force'
            raise ConfigError(f'{path} exists already; choose another name with --to{remedy}')


def _count_text(images: UnlabelledListing) -> str:
    """`1,204 images and 2 TFRecord files`."""
    counts = [(len(images.items), 'image'), (len(images.records), 'TFRecord file')]
    return ' and '.join(f'{n:,} {what}{"" if n == 1 else "s"}' for n, what in counts if n)


def _run(
    console: rich.console.Console,
    project: Project,
    images: UnlabelledListing,
    folder: pathlib.Path,
    target: pathlib.Path,
    abstain_below: float | None,
) -> PredictionResult:
    with spinner(console, 'starting TensorFlow'):
        from thawline.components.bulk_prediction import listing
        from thawline.pipeline.engines import input_size
        from thawline.pipeline.engines.engine import Engine
        from thawline.pipeline.prediction import batch
        from thawline.pipeline.terminal import progress_display

    display = progress_display.Display(console, lambda result: '')
    paths = [item.path for item in (*images.items, *images.records)]
    data = project.config.data
    with (
        display.show_running('Predict'),
        Engine(project.config.beam, project.name, project.home, project.engine_logs) as engine,
    ):
        megabytes = input_size.of_files(paths) if engine.needs_input_size else 0.0
        placement = engine.place('Predict', megabytes, uuid.uuid4().hex[:8])
        logging.info('Predict runs on: %s', placement.description)
        with engine.supervise(placement):
            return batch.predict(
                listing.anywhere(images),
                str(folder.absolute()),
                target,
                data.columns,
                batch.SizeLimits(data.max_side, data.max_pixels),
                placement.options,
                abstain_below,
            )


def summary(result: PredictionResult, target: pathlib.Path) -> str:
    """The outcome in one line."""
    from thawline.pipeline.prediction import tables

    line = f'{result.predicted:,} images in {target}'
    if result.abstained is not None:
        line += f', {result.abstained:,} of them abstained'
    if result.rejected:
        line += f'; {len(result.rejected):,} quarantined (see {tables.quarantine_path(target)})'
    return line
