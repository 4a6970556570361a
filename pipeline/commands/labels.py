"""`thawline labels`: labels go to a labelling tool and come back as `labels.csv`."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import getpass
import pathlib
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
import rich.console

from thawline.components.shared.errors import ConfigError
from thawline.pipeline.commands.arguments import PATH, project_argument
from thawline.pipeline.labels.exchange import FORMATS, PURPOSES, Purpose
from thawline.pipeline.system import log_redirect
from thawline.pipeline.terminal.console import echo, spinner

if TYPE_CHECKING:
    from thawline.components.ingestion.label_overlay import Correction
    from thawline.pipeline.config.project import Project
    from thawline.pipeline.labels.corrections import Merge
    from thawline.pipeline.labels.exchange import QueuedImage
    from thawline.pipeline.labels.known_images import KnownImages


recorded_option = click.option(
    '--recorded',
    type=PATH,
    metavar='FOLDER',
    help='Of images that thawline serve --record kept there, for the accuracy in production.',
)


@click.group()
def command() -> None:
    """Correct labels with a labelling tool or a spreadsheet.

    `export` writes the images that are worth a look, `import` takes what the tool exports. The
    corrections are kept in labels.csv beside the project file; your own files stay as they are.
    """


@command.command('export')
@project_argument
@click.option('--to', 'kind', type=click.Choice(FORMATS), required=True, help='The tool.')
@click.option('--out', type=PATH, help='File or folder; default: queue.* in the current folder.')
@click.option('--count', type=click.IntRange(1), default=100, show_default=True)
@click.option(
    '--for', 'purpose', type=click.Choice(PURPOSES), default='all', show_default=True,
    help='all: suspect labels of all splits; train: of train; val, test: a random sample of it; '
    'images in folds are of train and of val; unlabelled: a random sample of the '
    'rows of a CSV without a label.',
)  # fmt: skip
@recorded_option
def export(
    project: Project,
    kind: str,
    out: pathlib.Path | None,
    count: int,
    purpose: Purpose,
    recorded: pathlib.Path | None,
) -> None:
    """Write the images that are worth a look for a labelling tool."""
    from thawline.components.ingestion import label_overlay
    from thawline.pipeline.labels import formats, known_images, queue

    known = known_images.read(project)
    if recorded is not None:
        _export_recorded(project, recorded, known.classes, kind, out, count)
        return
    done = {row.image_id for row in label_overlay.read(project.labels)}
    chosen = queue.choose(
        purpose,
        known.audited() if purpose in ('all', 'train') else (),
        known.rows,
        known_images.unlabelled(project) if purpose == 'unlabelled' else (),
        done,
        count,
    )
    if not chosen:
        echo(f'no image to look at ({purpose}); nothing was written')
        return
    if formats.needs_pictures(kind):
        chosen = _with_pictures(project, known, chosen)
    out = out or pathlib.Path(formats.default_name(kind))
    formats.write(kind, chosen, known.classes, out, done)
    images = 'image' if len(chosen) == 1 else 'images'
    echo(f'wrote {out}: {len(chosen):,} {images} of run {known.run.id}')
    if line := known.gate_line():
        echo(f'  gate    {line}')
    following = project.command_line('thawline labels import FILE')
    echo(f'  next    {following}, with what the tool exports')


def _export_recorded(
    project: Project,
    folder: pathlib.Path,
    classes: Sequence[str],
    kind: str,
    out: pathlib.Path | None,
    count: int,
) -> None:
    """A random sample of what a server recorded, without what the model answered."""
    from thawline.components.ingestion import label_overlay, quarantine
    from thawline.pipeline.labels import formats, recorded_images
    from thawline.pipeline.recording import accuracy

    done = {row.image_id for row in label_overlay.read(str(accuracy.labels_file(folder)))}
    chosen = recorded_images.choose(folder, done, count)
    if not chosen:
        echo(f'every image in {folder} has a label; nothing was written')
        return
    data = project.config.data
    if formats.needs_pictures(kind):
        with (
            log_redirect.redirect_output(project.logs / 'labels.log') as terminal,
            spinner(rich.console.Console(file=terminal), 'starting TensorFlow'),
        ):
            chosen, bad = recorded_images.with_pictures(
                folder, chosen, data.max_side, data.max_pixels
            )
        if bad:
            echo(f'  note    {len(bad):,} images cannot be shown: {quarantine.in_words(bad)}')
    out = out or pathlib.Path(formats.default_name(kind))
    formats.write(kind, chosen, classes, out, done)
    echo(f'wrote {out}: {len(chosen):,} images of {folder}, drawn at random')
    following = f'thawline labels import FILE --recorded {shlex.quote(str(folder))}'
    echo(f'  next    {project.command_line(following)}')


def _with_pictures(
    project: Project, known: KnownImages, chosen: list[QueuedImage]
) -> list[QueuedImage]:
    missing = {image.image_id for image in chosen if not image.encoded}
    if not missing:
        return chosen
    with (
        log_redirect.redirect_output(project.logs / 'labels.log') as terminal,
        spinner(rich.console.Console(file=terminal), 'starting TensorFlow'),
    ):
        encoded = known.encoded(missing)
    if lost := missing - encoded.keys():
        raise ConfigError(
            f'the pictures of {len(lost):,} images were deleted from {known.folder}; write them '
            'again with: thawline run --no-cache --to ImageExampleGen'
        )
    return [
        image if image.encoded else dataclasses.replace(image, encoded=encoded[image.image_id])
        for image in chosen
    ]


@command.command('import')
@click.argument('file', type=PATH)
@project_argument
@click.option('--from', 'kind', type=click.Choice(FORMATS), help='The tool; found out by default.')
@click.option('--who', help='Whose answers these are; default: as the file says, or your login.')
@click.option('--why', default='', help='A reason to keep with each.')
@click.option('--dry-run', is_flag=True, help='Only say what would change.')
@recorded_option
def import_(
    project: Project,
    file: pathlib.Path,
    kind: str | None,
    who: str | None,
    why: str,
    dry_run: bool,
    recorded: pathlib.Path | None,
) -> None:
    """Take the answers of a labelling tool into labels.csv."""
    from thawline.components.ingestion import label_overlay
    from thawline.pipeline.labels import corrections, formats, known_images, recorded_images
    from thawline.pipeline.recording import accuracy

    if recorded is None and project.source_spec().labels is None:
        raise ConfigError(
            f'{project.labels} is the source itself; name another file for corrected labels, for '
            'example: data: {labels: corrected.csv}'
        )
    answers = formats.read(file, kind)
    labels: dict[str, frozenset[str]]
    known = known_images.read(project)
    if recorded is not None:
        path, verb = str(accuracy.labels_file(recorded)), 'labelled'
        following = f'thawline drift {shlex.quote(str(recorded))}'
        labels = {name: frozenset() for name in recorded_images.image_ids(recorded)}
    else:
        path, verb, following = project.labels, 'corrected', 'thawline run'
        labels = dict(known.labels)
        if any(answer.image_id not in labels for answer in answers):
            unlabelled = known_images.unlabelled(project)
            labels |= {image.image_id: frozenset({''}) for image in unlabelled}
    merge = corrections.merge(
        label_overlay.read(path),
        answers,
        labels,
        who or _login(),
        datetime.date.today().isoformat(),
        why,
        known.classes,
    )
    if not dry_run:
        corrections.write(path, merge.rows)
    _print_merge(merge, len(answers), path, dry_run, verb)
    echo(f'  next    {project.command_line(following)}')


def _print_merge(merge: Merge, answers: int, path: str, dry_run: bool, verb: str) -> None:
    from thawline.components.shared.text import abbreviate

    echo(
        f'{answers:,} answers: {merge.corrected:,} {verb}, {merge.confirmed:,} confirmed, '
        f'{merge.left_out:,} of no class, {merge.unchanged:,} as they were'
    )
    if merge.unknown:
        shown = abbreviate((answer.where for answer in merge.unknown), 3)
        echo(f'  note    {len(merge.unknown):,} images are not in this project: {shown}')
    have = 'would have' if dry_run else 'has'
    echo(f'  file    {path} {have} {len(merge.rows):,} rows')


def _login() -> str:
    with contextlib.suppress(OSError, KeyError, ImportError):
        return getpass.getuser()
    return ''


@command.command('list')
@project_argument
def list_(project: Project) -> None:
    """List the corrected labels: what, who, when and why."""
    from thawline.components.ingestion import label_overlay

    rows = label_overlay.read(project.labels)
    for row in rows:
        echo('  '.join(_cells(row)))
    echo(f'{len(rows):,} labels in {project.labels}')


def _cells(row: Correction) -> list[str]:
    label = row.label or '(left out)'
    return [row.image_id, label, *filter(None, (row.who, row.when, row.why))]


@command.command()
@click.argument('image_id')
@project_argument
def remove(project: Project, image_id: str) -> None:
    """Take a corrected label back, by its id or the beginning of it."""
    from thawline.components.ingestion import label_overlay
    from thawline.pipeline.labels import corrections

    rows = corrections.remove(label_overlay.read(project.labels), image_id)
    corrections.write(project.labels, rows)
    echo(f'removed; {project.labels} has {len(rows):,} rows')
