"""Which columns of a manifest hold what: as configured, or guessed from usual names."""

from __future__ import annotations

import difflib

from thawline.components.ingestion.manifest_table import ManifestTable
from thawline.components.ingestion.params import Columns
from thawline.components.shared.errors import DataError

# In order of preference; compared without case.
_USUAL = {
    'path': (
        'path', 'filepath', 'file_path', 'image_path', 'img_path', 'image_file', 'filename',
        'file_name', 'file', 'image', 'img', 'image_name', 'image_id', 'img_id', 'id', 'name',
    ),
    'label': (
        'label', 'labels', 'class', 'class_name', 'classname', 'category', 'choice', 'target',
        'tag', 'breed', 'species', 'diagnosis', 'dx', 'condition',
    ),
}  # fmt: skip
_LABELLERS = ('labeller', 'labeler', 'annotator', 'rater', 'reader', 'reviewer', 'expert')


def guess_labeller(table: ManifestTable, path: str) -> str | None:
    """The column of who gave a label: named so, and with several people for one path."""
    by_lower = {column.lower(): column for column in table.header}
    for name in _LABELLERS:
        if column := by_lower.get(name):
            people: dict[str, str] = {}
            for _, cells in table.rows:
                if people.setdefault(cells[path], cells[column]) != cells[column]:
                    return column
    return None


def resolve_columns(
    table: ManifestTable, configured: Columns, name: str
) -> tuple[Columns, list[str]]:
    """The columns that are really there: optional ones that are absent become None.

    Returns:
      The columns, and a note where one was guessed.

    Raises:
      DataError: a column that was named, or that is needed, is missing.
    """
    header = table.header
    guesses = _guess(header, configured)
    configured = configured.model_copy(update=guesses)
    is_settled = configured.labels or configured.labeller or configured.confidence
    can_guess = not is_settled and {configured.path, configured.label} <= set(header)
    if can_guess and (labeller := guess_labeller(table, configured.path)):
        guesses['labeller'] = labeller
        configured = configured.model_copy(update=guesses)
    notes = []
    if guesses:
        listed = ' and '.join(f'{key}: {column!r}' for key, column in guesses.items())
        notes.append(f'guessed from the names of columns: {listed} (data.columns)')
    required = {'path': configured.path}
    if configured.labels is None:
        required['label'] = configured.label
    optional = ('split', 'group', 'fold', 'confidence', 'labeller')
    required |= {k: getattr(configured, k) for k in optional if getattr(configured, k)}
    for key, column in required.items():
        if column and column not in header:
            raise _missing_column(header, column, f'data.columns.{key}', name)
    for key in ('labels', 'metadata'):
        for column in getattr(configured, key) or ():
            if column not in header:
                raise _missing_column(header, column, f'data.columns.{key}', name)
    # A column that happens to be called so does not contradict the folds that somebody named.
    usual = 'split' if 'split' in header and configured.fold is None else None
    split = configured.split or usual
    group = configured.group or ('group' if 'group' in header else None)
    metadata = configured.metadata
    if metadata is None and configured.labeller:
        metadata = ()  # what differs between the rows of an image is of its labels
    elif metadata is None:
        taken = {configured.path, configured.label, configured.confidence, split, group}
        taken |= {configured.fold, *(configured.labels or ())}
        metadata = tuple(c for c in header if c and c not in taken)
    resolved = {'split': split, 'group': group, 'metadata': metadata}
    return configured.model_copy(update=resolved), notes


def has_label(header: tuple[str, ...]) -> bool:
    """Whether a column is named as labels usually are."""
    return not {column.lower() for column in header}.isdisjoint(_USUAL['label'])


def _guess(header: tuple[str, ...], configured: Columns) -> dict[str, str]:
    """Columns of usual names, for the keys that have their default and no such column."""
    by_lower = {column.lower(): column for column in reversed(header)}
    guesses: dict[str, str] = {}
    for key, usual in _USUAL.items():
        column = getattr(configured, key)
        if key == 'label' and configured.labels:
            continue
        if column in header or column != Columns.model_fields[key].default:
            continue
        there = (by_lower[name] for name in usual if name in by_lower)
        guess = next((column for column in there if column not in guesses.values()), None)
        if guess is not None:
            guesses[key] = guess
    return guesses


def _missing_column(header: tuple[str, ...], column: str, key: str, name: str) -> DataError:
    lowered = {h.lower(): h for h in header}
    several = ' Labels by several people: data.columns.labels.' if key.endswith('.label') else ''
    near = difflib.get_close_matches(column.lower(), lowered, n=2, cutoff=0.6)
    hint = f' Did you mean {" or ".join(repr(lowered[n]) for n in near)}?' if near else ''
    return DataError(
        f'{name} has no column {column!r}; it has {", ".join(map(repr, header))}.{hint} '
        f'Name the right one in {key}.{several}'
    )
