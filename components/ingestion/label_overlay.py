"""`labels.csv`: labels that people corrected, laid over those of the source, which stays as it is.

A CSV with a row an image; only the first two columns are needed:

| column   | what                                                                              |
|----------|-----------------------------------------------------------------------------------|
| image_id | first 32 hex digits of the SHA-256 of the file                                    |
| label    | the class; empty: the image is of no class and is left out                        |
| who      | who says so                                                                       |
| when     | date or time                                                                      |
| why      | the reason, for whoever wonders later                                             |

An id stays with the content of an image: renamed and moved files keep their correction. Needs
neither TensorFlow nor TFX.
"""

from __future__ import annotations

import collections
import dataclasses
import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from thawline.components.ingestion import manifest_table, storage
from thawline.components.ingestion.labels import LEAST_IMAGES
from thawline.components.shared.errors import DataError, from_os_error
from thawline.components.shared.text import abbreviate, plain_cell

FILE = 'labels.csv'
COLUMNS = ('image_id', 'label', 'who', 'when', 'why')
_ID = re.compile(r'[0-9a-f]{32}')
_SHOWN = 3
# What a row did, in the words and the order in which a person reads it.
_KINDS = (_CORRECTED, _CONFIRMED, _GIVEN, _LEFT_OUT) = (
    'corrected',
    'confirmed',
    'given to unlabelled images',
    'of no class, whose images are left out',
)


@dataclasses.dataclass(frozen=True)
class Correction:
    """A row: the label of an image, empty for one to leave out; `line` is where it stands."""

    image_id: str
    label: str
    who: str = ''
    when: str = ''
    why: str = ''
    line: int = 0


def is_image_id(text: str) -> bool:
    return bool(_ID.fullmatch(text))


def read(path: str) -> tuple[Correction, ...]:
    """The corrections at `path`; none where there is no file.

    Raises:
        DataError: it cannot be read, or is not as `parse` expects.
    """
    try:
        content = storage.read(path)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise from_os_error(error, f'{path} cannot be read', DataError) from error
    return parse(content, path)


def parse(content: bytes, name: str) -> tuple[Correction, ...]:
    """Parses the bytes of the file, also as spreadsheets save them; errors call it `name`.

    Returns:
        A row an image, in the order of the file.

    Raises:
        DataError: not a CSV, a column is missing, an id that is none, two labels of one image.
    """
    lines = [line for line in content.strip(b'\xef\xbb\xbf \r\n\t').splitlines() if line.strip()]
    if not lines or (len(lines) == 1 and b'image_id' in lines[0]):
        return ()  # All rows were removed.
    table = manifest_table.parse(content, name)
    if missing := [column for column in COLUMNS[:2] if column not in table.header]:
        raise DataError(
            f'{name} has no column {missing[0]!r}; corrected labels are in columns '
            f'{",".join(COLUMNS)}. Received: {",".join(table.header)}. If it is a table of your '
            'own, name another file in data.labels.'
        )
    if table.malformed:
        line, problem = table.malformed[0]
        raise DataError(f'{name}, line {line}: {problem}.')
    rows: dict[str, Correction] = {}
    for line, cells in table.rows:
        values = {key: plain_cell(cells[key].strip()) for key in COLUMNS if key in cells}
        row = Correction(**{**values, 'image_id': values['image_id'].lower()}, line=line)
        if not is_image_id(row.image_id):
            raise DataError(
                f'{name}, line {line}: image_id must be the 32 hex digits that thawline labels '
                f'export writes. Received: {cells["image_id"]!r}.'
            )
        earlier = rows.setdefault(row.image_id, row)
        if earlier.label != row.label:
            raise DataError(
                f'{name}, lines {earlier.line} and {line}: the image {row.image_id} has two '
                f'labels, {earlier.label!r} and {row.label!r}. Delete one of the rows.'
            )
    return tuple(rows.values())


def check_classes(
    corrections: Iterable[Correction], classes: Collection[str], normalise: bool, name: str
) -> list[str]:
    """Refuses labels that look like a slip; returns notes on classes that the source lacks.

    Args:
        corrections: of one file.
        classes: of the source; empty where none of its images has a label.
        normalise: take labels that differ in case or outer spaces as one.
        name: of the file.

    Raises:
        DataError: a label that no image of the source has, and too few of the file.
    """
    if not classes:
        return []
    known = {_folded(label) for label in classes} if normalise else set(classes)
    added: dict[str, list[Correction]] = collections.defaultdict(list)
    for row in corrections:
        if row.label and (_folded(row.label) if normalise else row.label) not in known:
            added[row.label].append(row)
    for label, rows in added.items():
        if len(rows) < LEAST_IMAGES:
            lines = ', '.join(str(row.line) for row in rows)
            near = difflib.get_close_matches(label, classes, 1) or [
                other for other in classes if _folded(other) == _folded(label)
            ]
            meant = f' Did you mean {near[0]!r}?' if near else ''
            raise DataError(
                f'{name}, line {lines}: no image of the source is of the class {label!r}; there '
                f'are {abbreviate(map(repr, sorted(classes)), 5)}.{meant} A new class needs at '
                f'least {LEAST_IMAGES} images.'
            )
    return [
        f'{name}: {label!r} is a new class, {len(rows)} images' for label, rows in added.items()
    ]


def _folded(label: str) -> str:
    return label.strip().casefold()


@dataclasses.dataclass(frozen=True)
class LabelChange:
    """What became of an image that the file names: its label before and now, '' for none."""

    image_id: str
    before: str
    now: str


def describe(
    corrections: Sequence[Correction], changes: Iterable[LabelChange], name: str
) -> tuple[str, ...]:
    """Notes on what the file did.

    Args:
        corrections: of the file.
        changes: of the images that were there, copies too.
        name: of the file.
    """
    by_id = {change.image_id: change for change in changes}
    kinds: collections.Counter[str] = collections.Counter()
    unknown = []
    for row in corrections:
        change = by_id.get(row.image_id)
        if change is None:
            unknown.append(row)
        elif not change.now:
            kinds[_LEFT_OUT] += 1
        elif not change.before:
            kinds[_GIVEN] += 1
        else:
            kinds[_CORRECTED if change.before != change.now else _CONFIRMED] += 1
    notes = []
    if kinds:
        parts = [f'{kinds[kind]:,} {kind}' for kind in _KINDS if kinds[kind]]
        notes.append(f'{name}: {kinds.total():,} labels, {", ".join(parts)}')
    if unknown:
        shown = abbreviate((f'line {row.line}: {row.image_id}' for row in unknown), _SHOWN)
        images = 'image' if len(unknown) == 1 else 'images'
        notes.append(
            f'{name} names {len(unknown):,} {images} that the source does not have: {shown}'
        )
    return tuple(notes)


def digest_lines(labels: Mapping[str, str]) -> list[str]:
    """What of the corrections decides an ingestion: not who made them, when and why."""
    return [f'label\0{image_id}\0{label}' for image_id, label in labels.items()]
