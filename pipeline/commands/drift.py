"""`thawline drift`: whether new images differ from those that a model learned from."""

from __future__ import annotations

import datetime
import os
import pathlib
from typing import TYPE_CHECKING

import click
import rich.console

from thawline.components.shared import files
from thawline.components.shared.errors import ConfigError, NotFound
from thawline.pipeline.commands.arguments import PATH, config_argument, load
from thawline.pipeline.commands.logged_work import log_path, run_logged
from thawline.pipeline.terminal import exit_codes
from thawline.pipeline.terminal.console import say, spinner
from thawline.pipeline.terminal.exit_codes import Outcome

if TYPE_CHECKING:
    from thawline.pipeline.config.project import Project
    from thawline.pipeline.drift.comparison import DriftResult
    from thawline.pipeline.drift.record import DriftRecord

FOLDER = 'drift'
PAGE = 'drift.html'
_OUTCOMES = {
    'no drift': Outcome.BLESSED,
    'drift': Outcome.DRIFT,
    'too few': Outcome.TOO_FEW_IMAGES,
}
_MARKS = {True: ('✓ ', 'green'), False: ('✗ ', 'bold red'), None: ('- ', 'yellow')}
_NAMED = 3


@click.command()
@click.argument('source', metavar='FOLDER|CSV')
@config_argument
@click.option(
    '--model',
    default='production',
    show_default=True,
    metavar='MODEL',
    help='production, staging, last, or the id of a model or run.',
)
@click.option(
    '--images',
    'most',
    default=2_000,
    show_default=True,
    type=click.IntRange(1),
    metavar='N',
    help='Compare at most this many; of more, these are drawn at random.',
)
@click.option('--to', 'target', type=PATH, metavar='FOLDER', help='Where the page is written.')
def command(
    source: str, config: pathlib.Path | None, model: str, most: int, target: pathlib.Path | None
) -> None:
    """Compare new images with those that a model learned from.

    FOLDER holds images of production, without labels; a CSV names them, with their metadata. Writes
    a page with pictures, and the numbers as JSON.

    Exit code: 0 without drift, 8 with drift or with an accuracy in production below what the gate
    asked for, 9 where there are too few images to judge.
    """
    exit_codes.leave(compare(load(config), source, model, most, target))


def compare(
    project: Project, source: str, model: str, most: int, target: pathlib.Path | None = None
) -> Outcome:
    """Compares and prints what came of it.

    Args:
        project: with its registry.
        source: a folder or CSV of images.
        model: as `lookup.find_model` takes it.
        most: images of each kind.
        target: folder of the page; None: a new one among the project's.

    Raises:
        UserError: what the user can fix.
    """
    from thawline.components.ingestion import storage
    from thawline.pipeline.registry import integrity, lookup
    from thawline.pipeline.registry import registry as registry_lib

    if not source.strip():
        raise ConfigError(f'name a folder or CSV of new images. Received: {source!r}.')
    if not storage.is_remote(source):
        source = os.path.expanduser(source)
        if not os.path.exists(source):
            raise NotFound(f'there is no folder or CSV {source}')
    if target is not None and target.exists() and not target.is_dir():
        raise ConfigError(f'--to must be a folder. Received: {str(target)!r}, which is a file.')
    registry = registry_lib.read(project)
    chosen = lookup.find_model(registry, model)
    note = integrity.check_folder(project, chosen.folder) if chosen.folder else ''
    stamp = datetime.datetime.now().strftime('%Y%m%d-%H%M%S')
    # Of two in one second, each has its own.
    folder = (target or project.output / FOLDER / f'{stamp}-{os.getpid()}').absolute()
    outcome = Outcome.CRASHED

    def work(console: rich.console.Console) -> None:
        nonlocal outcome
        say(
            console, ('drift', 'bold'),
            f'  {source} against the images that model {chosen.id} learned from',
        )  # fmt: skip
        if note:
            say(console, ('note: ', 'yellow'), note)
        with spinner(console, 'starting TensorFlow'):
            from thawline.pipeline.drift import comparison
            from thawline.pipeline.terminal import progress_display

        display = progress_display.Display(console, lambda result: '')
        with display.show_running('Drift'):
            result = comparison.compare(project, registry, chosen, source, most)
        _write(folder, result)
        _print(console, result.record, folder)
        outcome = _OUTCOMES[result.record.verdict]
        if result.record.accuracy and result.record.accuracy.falls_short:
            outcome = Outcome.DRIFT

    ended = run_logged(log_path(project, 'drift'), work)
    return outcome if ended is Outcome.BLESSED else ended


def _write(folder: pathlib.Path, result: DriftResult) -> None:
    from thawline.pipeline.drift import page

    record = result.record
    files.write_text(folder / record.FILE, record.to_json() + '\n')
    files.write_text(folder / PAGE, page.render(record, result.thumbnails))


def _print(console: rich.console.Console, record: DriftRecord, folder: pathlib.Path) -> None:
    from thawline.components.ingestion import quarantine
    from thawline.pipeline.drift import wording

    say(console, _MARKS[record.holds], (record.sentence, 'bold'))
    say(console, f'  images      {record.images:,} new, {record.earlier:,} earlier')
    for of in record.compared:
        if of.drifted:
            line = f'{of.name}: {wording.measured(of)}, limit {of.threshold:.2f}'
            say(console, f'  drift       {line}, {wording.p_text(of)}')
    if record.accuracy:
        say(console, f'  accuracy    {wording.accuracy_sentence(record.accuracy)}')
    if record.classes:
        say(console, f'  classes     {", ".join(wording.largest_changes(record))}')
    say(console, f'  outliers    {wording.outlier_sentence(record)}')
    for image in record.different[:_NAMED]:
        say(console, f'  different   {image.name}')
    if record.rejected:
        say(
            console, ('  not used    ', 'yellow'),
            f'{len(record.rejected):,}: {quarantine.in_words(record.rejected)}',
        )  # fmt: skip
    for note in record.notes:
        say(console, ('  note        ', 'yellow'), note)
    say(console, f'  page        {folder / PAGE}')
    say(console, f'  numbers     {folder / record.FILE}')
