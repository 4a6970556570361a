"""A table of images: one row an image, or a row for each label that somebody gave it."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from thawline.components.ingestion import label_overlay, labellers, manifest_parts, storage
from thawline.components.ingestion import labels as label_rules
from thawline.components.ingestion import quarantine as reasons
from thawline.components.ingestion.manifest_columns import resolve_columns
from thawline.components.ingestion.manifest_files import ManifestFiles
from thawline.components.ingestion.manifest_parts import ManifestPart
from thawline.components.ingestion.params import Columns
from thawline.components.ingestion.quarantine import Rejected
from thawline.components.ingestion.source_types import (
    SPLIT_ALIASES,
    Listing,
    SourceItem,
    SourceSpec,
)
from thawline.components.shared.errors import DataError
from thawline.components.shared.text import counted


def read(spec: SourceSpec, kind: str = 'csv') -> Listing:
    """Lists the images that a manifest names.

    Args:
        spec: of the source.
        kind: its format, one of those of `manifest_parts`.

    Raises:
      DataError: the manifest is missing, not UTF-8, empty or not a table; a column is missing; a
        split has an unknown name; nothing usable is left.
    """
    reading = _Reading(spec)
    for part in manifest_parts.load(spec, kind):
        reading.add(part)
    return reading.listing()


@dataclasses.dataclass(frozen=True)
class _Row:
    """A row whose file is there.

    Attributes:
        number: in its table.
        where: it stands, for people.
        item: without a label where several people gave one.
        votes: labellers and their labels, where there are several.
    """

    number: int
    where: str
    item: SourceItem
    votes: tuple[tuple[str, str], ...] = ()


class _Reading:
    """Collects the rows of one table or more."""

    def __init__(self, spec: SourceSpec) -> None:
        self._spec = spec
        self._columns = spec.columns
        self._rows: dict[str, list[_Row]] = collections.defaultdict(list)
        self._files: dict[str, storage.Entry] = {}
        self._rejected: list[Rejected] = []
        self._unlabelled: list[tuple[SourceItem, storage.Entry, Rejected]] = []
        self._notes: list[str] = []
        self._parts: list[ManifestPart] = []

    def add(self, part: ManifestPart) -> None:
        """Reads a table."""
        self._parts.append(part)
        plain = Columns()
        fixed = {
            k: v
            for k, v in part.columns.items()
            if getattr(plain, k) == getattr(self._spec.columns, k)
        }
        self._columns, guessed = resolve_columns(
            part.table, self._spec.columns.model_copy(update=fixed), part.path
        )
        self._notes += [note for note in guessed if note not in self._notes]
        self._rejected += [
            Rejected(f'{part.name}:{line}', reasons.MALFORMED_ROW, why)
            for line, why in part.table.malformed
        ]
        files = ManifestFiles(part.root)
        for number, cells in part.table.rows:
            self._add_row(part, files, number, cells)

    def _add_row(
        self, part: ManifestPart, files: ManifestFiles, number: int, cells: Mapping[str, str]
    ) -> None:
        columns = self._columns
        where = f'{part.row} {number} of {part.name}'
        written = cells[columns.path].strip()
        file = files.find_first(part.places(written)) if written else reasons.MALFORMED_ROW
        if isinstance(file, str):
            self._rejected.append(Rejected(written or f'{part.name}:{number}', file, where))
            return
        if part.below:
            file = dataclasses.replace(file, relative=f'{part.below}/{file.relative}')
        try:
            confidence = (
                label_rules.confidence(cells[columns.confidence]) if columns.confidence else None
            )
        except ValueError as error:
            why = f'{where}: {error}'
            self._rejected.append(Rejected(file.relative, reasons.MALFORMED_ROW, why))
            return
        votes = tuple(_votes(cells, columns))
        # Spaces stay for now: labels that differ only in them are reported as such.
        label = cells[columns.label] if columns.label and columns.labels is None else None
        item = SourceItem(
            file.path, file.relative, label, _split(cells, columns, part.path, number),
            (cells[columns.group].strip() or None) if columns.group else None,
            {c: cells[c].strip() for c in columns.metadata or ()}, confidence,
            fold=(cells[columns.fold].strip() or None) if columns.fold else None,
        )  # fmt: skip
        needs_label = bool(columns.label)
        if needs_label and not votes and not (label and label.strip(' \t')):
            self._reject_unlabelled(item, file, reasons.NO_LABEL, where)
            return
        self._files[file.relative] = file
        self._rows[file.relative].append(_Row(number, where, item, votes))

    def _reject_unlabelled(
        self, item: SourceItem, file: storage.Entry, reason: str, detail: str
    ) -> None:
        """Leaves out an image that a correction may give a label."""
        self._rejected.append(Rejected(file.relative, reason, detail))
        self._unlabelled.append((dataclasses.replace(item, label=None), file, self._rejected[-1]))

    def listing(self) -> Listing:
        """All of it.

        Raises:
            DataError: no usable image.
        """
        label_notes = self._settle()
        items = []
        for path in sorted(self._rows):
            kept, dropped = _one_of(self._rows[path])
            items += kept
            self._rejected += dropped
        if not items and not (self._spec.labels and self._unlabelled):
            total = sum(len(p.table.rows) + len(p.table.malformed) for p in self._parts)
            raise DataError(
                f'{self._spec.source} names no usable image in {total} rows; paths are relative to '
                f'{self._parts[0].root} (data.root). {reasons.in_words(self._rejected)}.'
            )
        return Listing(
            tuple(items), tuple(self._rejected),
            (*self._notes, *_notes(self._rejected)), (),
            files=tuple(self._files[path] for path in self._rows),
            manifest=b'\0'.join(part.content for part in self._parts), columns=self._chosen,
            unlabelled=tuple(self._unlabelled), label_notes=label_notes,
        )  # fmt: skip

    @property
    def _chosen(self) -> Columns:
        """The columns but for those that the format fixes."""
        fixed = {k: getattr(self._spec.columns, k) for part in self._parts for k in part.columns}
        return self._columns.model_copy(update=fixed)

    def _settle(self) -> tuple[str, ...]:
        """Replaces the rows of several labellers by one with the label of most; says how."""
        votes = {
            path: [vote for row in rows for vote in row.votes] for path, rows in self._rows.items()
        }
        columns = self._columns
        asked = columns.labels or (columns.labeller and not self._parts[0].columns)
        if not any(votes.values()) or not (asked or any(len(v) > 1 for v in votes.values())):
            return ()
        counts = collections.Counter(label for of_image in votes.values() for _, label in of_image)
        mapping, _ = label_rules.relabelling(counts, self._spec.normalise_labels)
        votes = {p: [(who, mapping[label]) for who, label in v] for p, v in votes.items()}
        for path, of_image in votes.items():
            rows = self._rows[path]
            if any(_facts(row.item) != _facts(rows[0].item) for row in rows):
                continue  # `_one_of` says what differs
            decision = labellers.majority(of_image)
            item = dataclasses.replace(
                rows[0].item, label=decision.label, confidence=decision.confidence
            )
            where = ', '.join(dict.fromkeys(row.where for row in rows))
            if decision.label is None:
                file = self._files[path]
                self._reject_unlabelled(item, file, reasons.NO_MAJORITY, f'{where}: {decision}')
                rows.clear()
            else:
                rows[:] = [_Row(rows[0].number, where, item)]
        self._rows = {path: rows for path, rows in self._rows.items() if rows}
        # All images have a confidence then, also those that only a correction gives a label.
        self._unlabelled = [
            (dataclasses.replace(item, confidence=item.confidence or 1.0), file, entry)
            for item, file, entry in self._unlabelled
        ]
        return tuple(labellers.describe(list(votes.values())))


def _facts(item: SourceItem) -> tuple[object, ...]:
    return item.split, item.group, item.metadata, item.fold


def _votes(cells: Mapping[str, str], columns: Columns) -> Iterator[tuple[str, str]]:
    """Labellers and labels of a row."""
    if columns.labeller and cells[columns.label].strip():
        yield cells[columns.labeller].strip(), cells[columns.label].strip()
    for column in columns.labels or ():
        if label := cells[column].strip():
            yield column, label


def _split(cells: Mapping[str, str], columns: Columns, source: str, line: int) -> str | None:
    written = cells[columns.split].strip() if columns.split else ''
    if not written:
        return None
    if written.lower() not in SPLIT_ALIASES:
        raise DataError(
            f'{source}, line {line}: column {columns.split!r} must be train, val or test, or '
            f'empty. Received: {written!r}.'
        )
    return SPLIT_ALIASES[written.lower()]


def _one_of(rows: Sequence[_Row]) -> tuple[list[SourceItem], list[Rejected]]:
    """Of the rows with one path: the first if they agree, none if they do not."""
    first, *others = rows
    if all(row.item == first.item for row in others):
        return [first.item], [
            Rejected(
                row.item.relative_path, reasons.DUPLICATE_ROW, f'{row.where} as {first.number}'
            )
            for row in others
        ]
    labels = sorted({repr(row.item.label) for row in rows})
    reason = reasons.CONFLICTING_LABELS if len(labels) > 1 else reasons.CONFLICTING_ROWS
    detail = f'{_places(rows)}: {" and ".join(labels)}'
    return [], [Rejected(row.item.relative_path, reason, detail) for row in rows]


def _places(rows: Sequence[_Row]) -> str:
    row, _, name = rows[0].where.partition(f' {rows[0].number} of ')
    return f'{row}s {", ".join(str(row.number) for row in rows)} of {name}'


_UNLABELLED = (reasons.NO_LABEL, reasons.NO_MAJORITY)


def _notes(rejected: list[Rejected]) -> Iterator[str]:
    for reason, count in reasons.counts_by_reason(rejected).items():
        # Whom a correction labels is known once the files are read.
        unless = f' unless {label_overlay.FILE} labels them' if reason in _UNLABELLED else ''
        yield f'{counted(count, "row is", "rows are")} not used{unless}: {reason}'
