"""`thawline predict`: a model's answers to a folder, a list or TFRecords, as one table."""

from __future__ import annotations

import contextlib
import datetime
import logging
import pathlib
import re
import tempfile
import time
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

from thawline.components.bulk_prediction import listing
from thawline.components.ingestion import quarantine
from thawline.components.shared.durations import duration
from thawline.components.shared.errors import ConfigError, DataError, UserError
from thawline.pipeline.config import beam
from thawline.pipeline.config.project import Project
from thawline.pipeline.prediction import model_card, tables
from thawline.pipeline.registry import files
from thawline.pipeline.system import log_redirect, signals
from thawline.pipeline.terminal import progress_display
from thawline.pipeline.terminal.console import roomy_console, say
from thawline.pipeline.terminal.exit_codes import Outcome

if TYPE_CHECKING:
    import rich.console

    from thawline.pipeline.prediction.batch import PredictionResult


def execute(
    project: Project,
    sources: Sequence[str],
    wanted: str,
    target: pathlib.Path,
    abstain_below: float | None = None,
    force: bool = False,
    on: str | None = None,
) -> Outcome:
    """Predicts and tells the terminal; returns how it ended.

    Args:
        sources: folders, CSV lists, TFRecord files and images.
        wanted: as `files.saved_model` takes it.
        target: the table.
        abstain_below: takes the place of the model's own bound.
        force: whether an existing table may be replacement.
        on: name of an engine in place of the configuration's.

    Raises:
        ConfigError, DataError: what a person can mend.
    """
    began = time.monotonic()
    config = project.config.model_copy(update={'beam': beam.on(project.config.beam, on)})
    _check_target(target, force)
    target = target.absolute()
    folder = files.saved_model(project, wanted)
    bound = model_card.abstention_threshold(model_card.read_card(folder))
    if abstain_below is None:
        abstain_below = bound
    columns = config.data.columns
    # A table in the folder of images is no image of it.
    written = {str(target), str(tables.quarantine_path(target))}
    listed = listing.of_sources(sources, columns, written)
    log = _log(project)
    with signals.interruptible(), log_redirect.redirect_output(log) as terminal:
        console = roomy_console(terminal)
        say(console, ('predict', 'bold'), f'  {_counted(listed)} with {folder}')
        try:
            result = _predict(console, project, listed, folder, target, abstain_below)
        except Exception as error:
            if signals.is_stop_requested():
                say(console, ('error: ', 'bold red'), 'stopped on request; nothing written')
                return Outcome.INTERRUPTED
            if isinstance(error, UserError):
                raise
            logging.exception('the prediction crashed')
            say(console, ('error: ', 'bold red'), f'{error} ({type(error).__name__})')
            say(console, f'  log     {log}')
            return Outcome.CRASHED
        if not result.predicted:
            raise DataError(
                f'none of {len(result.rejected):,} images could be used: '
                f'{quarantine.in_words(result.rejected)}. See {tables.quarantine_path(target)}.'
            )
        took = duration(time.monotonic() - began)
        say(console, ('✓ ', 'green'), summary(result, target), f' in {took}')
    return Outcome.BLESSED


def _check_target(target: pathlib.Path, force: bool) -> None:
    """Refuses what could not be written in the end, before anything heavy starts."""
    if re.match(r'[A-Za-z][\w+.-]*:/', str(target)):  # pathlib makes one slash of two
        raise ConfigError(f'--to must be a file on this machine. Received: {str(target)!r}.')
    tables.table_kind(target)
    if not target.absolute().parent.is_dir():
        raise ConfigError(f'--to: there is no folder {target.absolute().parent}')
    for path in (target, tables.quarantine_path(target)):
        if path.is_dir() or (path.exists() and not force):
            how = '' if path.is_dir() else '; replace it with --force'
            raise ConfigError(f'{path} exists already; choose another name with --to{how}')


def _log(project: Project) -> pathlib.Path:
    """With the project's others; a model of a path alone may have no project."""
    stamp = datetime.datetime.now().strftime('%Y%m%d-%H%M%S')
    folder = project.logs if project.output.is_dir() else pathlib.Path(tempfile.gettempdir())
    return folder / f'{stamp}-predict.log'


def _counted(listed: listing.Listing) -> str:
    """`1,204 images and 2 TFRecord files`."""
    found = [(len(listed.items), 'image'), (len(listed.records), 'TFRecord file')]
    return ' and '.join(f'{n:,} {what}{"" if n == 1 else "s"}' for n, what in found if n)


def _predict(
    console: rich.console.Console,
    project: Project,
    listed: listing.Listing,
    folder: pathlib.Path,
    target: pathlib.Path,
    abstain_below: float | None,
) -> PredictionResult:
    starting = console.status('starting TensorFlow')
    with starting if console.is_terminal else contextlib.nullcontext():
        from thawline.pipeline.engines import input_size
        from thawline.pipeline.engines.engine import Engine
        from thawline.pipeline.prediction import batch

    shown = progress_display.Display(console, lambda result: '')
    paths = [one.path for one in (*listed.items, *listed.records)]
    with (
        shown.started('Predict'),
        Engine(project.config.beam, project.name, project.home, project.engine_logs) as engine,
    ):
        megabytes = input_size.of_files(paths) if engine.needs_input_size else 0.0
        placement = engine.place('Predict', megabytes, uuid.uuid4().hex[:8])
        logging.info('Predict runs on: %s', placement.description)
        with engine.supervise(placement):
            result = batch.predict(
                listing.anywhere(listed),
                str(folder.absolute()),
                target,
                project.config.data.columns,
                batch.SizeLimits(project.config.data.max_side, project.config.data.max_pixels),
                placement.options,
                abstain_below,
            )
    return result


def summary(result: PredictionResult, target: pathlib.Path) -> str:
    """What came of it, in a line."""
    line = f'{result.predicted:,} images in {target}'
    if result.abstained is not None:
        line += f', {result.abstained:,} of them abstained'
    if result.rejected:
        line += f'; {len(result.rejected):,} quarantined (see {tables.quarantine_path(target)})'
    return line
