"""Answers become rows of the project's `labels.csv`, all at once or not at all."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Collection, Mapping, Sequence

from thawline.components.ingestion import label_overlay
from thawline.components.ingestion.label_overlay import COLUMNS, Correction
from thawline.components.shared import files
from thawline.components.shared.errors import ConfigError, DataError, NotFound
from thawline.components.shared.text import abbreviate, csv_table
from thawline.pipeline.labels.exchange import Answer


@dataclasses.dataclass(frozen=True)
class Merge:
    """The file after an import, and what the import did, in images.

    `unchanged` are answers that are the present label where nobody surely looked.
    """

    rows: tuple[Correction, ...]
    corrected: int
    confirmed: int
    left_out: int
    unchanged: int
    unknown: tuple[Answer, ...]


def merge(
    earlier: Sequence[Correction],
    answers: Sequence[Answer],
    labels: Mapping[str, frozenset[str]],
    who: str,
    when: str,
    why: str,
    classes: Collection[str] = (),
) -> Merge:
    """Adds answers to the corrections; those of an image replace its earlier one.

    Args:
        earlier: the file so far.
        answers: one an image.
        labels: of each image of the project, by id: the label of the last run, '' for none, and
            that of the source.
        who, when, why: where an answer says nothing of it.
        classes: that there are beside those of `labels`.

    Raises:
        DataError: no image of the answers is the project's, or a label looks like a slip.
    """
    known = {row.image_id for row in earlier} | labels.keys()
    unknown = tuple(answer for answer in answers if answer.image_id not in known)
    if answers and len(unknown) == len(answers):
        raise DataError(
            f'None of the {len(answers):,} images is in this project, as if it were the export of '
            f'another one: {abbreviate((a.where for a in unknown), 3)}. Nothing was written. '
            'Labels of images that a server recorded are imported with --recorded FOLDER.'
        )
    rows = {row.image_id: row for row in earlier}
    counts = dict.fromkeys(('corrected', 'confirmed', 'left_out', 'unchanged'), 0)
    for answer in answers:
        if answer.image_id not in known:
            continue
        earlier_labels = labels.get(answer.image_id, frozenset())
        if answer.image_id in rows:
            earlier_labels |= {rows[answer.image_id].label}
            same = answer.label == rows[answer.image_id].label
            if not earlier_labels - {''} and not answer.explicit:
                counts['unchanged'] += 1  # left out since: its label by the source is not known
                continue
        else:
            same = answer.label in earlier_labels
        # Also of an image that was corrected after it was exported, and that nobody opened.
        if answer.label in earlier_labels and not answer.explicit:
            counts['unchanged'] += 1
            continue
        kind = 'confirmed' if same else 'corrected' if answer.label else 'left_out'
        counts[kind] += 1
        if same and answer.image_id in rows:
            continue  # whoever said so first
        rows[answer.image_id] = Correction(
            answer.image_id, answer.label, answer.who or who, answer.when or when, why
        )
    numbered = tuple(
        dataclasses.replace(row, line=line) for line, row in enumerate(rows.values(), 2)
    )
    known_classes = {label for some in labels.values() for label in some if label} | {*classes}
    try:
        label_overlay.check_classes(numbered, known_classes, False, 'labels.csv as it would be')
    except DataError as error:
        new = (a.where for a in answers if a.label and a.label not in known_classes)
        raise DataError(f'{error} It comes from: {abbreviate(new, 3)}.') from error
    return Merge(numbered, **counts, unknown=unknown)


def write(path: str, rows: Sequence[Correction]) -> None:
    """Replaces the file.

    Raises:
        ConfigError: it is not on this machine.
        UserError: it cannot be written.
    """
    if '://' in path:
        raise ConfigError(f'data.labels: {path} cannot be written from here; edit it where it is')
    values = [tuple(getattr(row, name) for name in COLUMNS) for row in rows]
    files.write_text(pathlib.Path(path), csv_table(COLUMNS, values))


def remove(rows: Sequence[Correction], image_id: str) -> tuple[Correction, ...]:
    """All rows but that of an image, named by its id or the beginning of it.

    Raises:
        NotFound: no row begins so.
        ConfigError: several do.
    """
    matches = [row for row in rows if image_id and row.image_id.startswith(image_id.lower())]
    if not matches:
        raise NotFound(f'no corrected label of an image {image_id!r}; see: thawline labels list')
    if len(matches) > 1:
        raise ConfigError(f'{len(matches)} images begin with {image_id!r}; use more digits')
    return tuple(row for row in rows if row is not matches[0])
