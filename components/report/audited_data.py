"""What the report shows of the data audit: which pictures, with what words, and its tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from thawline.components.data_audit.record import AuditRecord, Measured
from thawline.components.report import formatting, tables
from thawline.components.report.tables import Cell, Column, Row, Table
from thawline.components.shared import percentages
from thawline.components.shared.splits import TEST

_PAIRS = 12


@dataclasses.dataclass(frozen=True)
class AuditedData:
    """A data audit.

    Attributes:
        record: its numbers.
        rows: its table, the most suspicious label first.
    """

    record: AuditRecord
    rows: pa.Table

    @property
    def compared(self) -> int:
        """Labels that were compared with answers out of fold."""
        return len(self.rows) - self.rows['quality'].null_count

    def suspects(self, most: int) -> dict[str, str]:
        """Ids of images with the most suspicious labels, with the evidence in words."""
        rows = self.rows.filter(pc.fill_null(self.rows['suspect'], False))
        return {row['image_id']: _suspect_note(row) for row in rows.slice(0, most).to_pylist()}

    def outliers(self, most: int) -> dict[str, str]:
        """Ids of the images that are farthest from all classes."""
        rows = self.rows.filter(self.rows['outlier']).sort_by([('distance', 'descending')])
        return {
            row['image_id']: f'unlike any class: distance {row["distance"]:.2f}'
            for row in rows.slice(0, most).to_pylist()
        }

    def pairs(self) -> dict[str, str]:
        """Ids of the images of the most similar pairs across splits, one beside the other."""
        notes: dict[str, str] = {}
        for pair in self.record.pairs[:_PAIRS]:
            for image, twin in ((pair.a, pair.b), (pair.b, pair.a)):
                also = f'; labelled {twin.label}' if twin.label != image.label else ''
                note = f'{image.split}; looks the same as {twin.path} in {twin.split}{also}'
                notes.setdefault(image.id, note)
        return notes


def _suspect_note(row: dict) -> str:
    note = (
        f'rather {row["suggested"]}? So are {row["votes"]} of the {row["voters"]} most similar '
        f'images; {percentages.percent(row["quality"], 0)} for the label, out of fold'
    )
    if row['label_confidence'] < 1:
        note += f'; known confidence {percentages.percent(row["label_confidence"], 0)}'
    return note


def audit_tables(record: AuditRecord) -> Iterator[Table]:
    """The tables of the section, those that have rows."""
    for table in (_forecasts(record), _base(record), _facts(record), _overlaps(record)):
        if table.rows:
            yield table


def _ends(lower: float, upper: float) -> str:
    return formatting.no_break(percentages.between(lower, upper))


def _gain_ends(lower: float, upper: float) -> str:
    return f'{100 * lower:+.1f} to {100 * upper:+.1f}'.replace('-', '\u2212')


def _forecasts(record: AuditRecord) -> Table:
    return Table(
        'Would more images help?',
        (
            Column('More images of', 'name'),
            Column('Number'),
            Column('Now'),
            Column('Then'),
            Column('90\u00a0% interval', 'interval'),
        ),
        tables.text_rows(
            (
                of.label or 'all classes',
                f'{of.more:,}',
                formatting.percent(of.now),
                formatting.percent(of.accuracy),
                _ends(of.lower, of.upper),
            )
            for of in record.forecasts
        ),
    )


def _base(record: AuditRecord) -> Table:
    base = record.base
    rows: list[tuple[str, ...]] = []
    if base:
        rows.append(('this base', formatting.percent(base.accuracy), '', ''))
        rows += [
            (
                rival.name,
                formatting.percent(rival.accuracy),
                formatting.points(rival.gain),
                _gain_ends(rival.lower, rival.upper),
            )
            for rival in base.rivals
        ]
    return Table(
        f'Is the base any good here? {base.images:,} images' if base else '',
        (
            Column('Features', 'text'),
            Column('Accuracy'),
            Column('Gain of the base'),
            Column('95\u00a0% interval', 'interval'),
        ),
        tables.text_rows(rows),
    )


def _facts(record: AuditRecord) -> Table:
    return Table(
        'What a fact alone tells of the class',
        (
            Column('Fact', 'name'),
            Column('Accuracy'),
            Column('Majority'),
            Column('Gain, points, 95\u00a0% interval', 'interval'),
        ),
        tuple(
            Row(
                (
                    Cell(fact.name),
                    tables.share(fact.accuracy),
                    tables.share(fact.majority),
                    Cell(_gain_ends(fact.lower, fact.upper)),
                ),
                remark='spurious' if fact.is_spurious else '',
            )
            for fact in record.facts
        ),
        noun='facts',
    )


def _overlaps(record: AuditRecord) -> Table:
    return Table(
        'Classes that the labels confuse',
        (Column('Class', 'name'), Column('And', 'name'), Column('Images'), Column('Of both')),
        tuple(
            Row(
                (
                    Cell(pair.a),
                    Cell(pair.b),
                    tables.count(pair.a_as_b + pair.b_as_a),
                    tables.share(pair.share),
                )
            )
            for pair in record.overlaps
        ),
        noun='pairs',
    )


def summary(record: AuditRecord) -> str:
    """What was audited, in one sentence."""
    images = sum(record.images.values())
    if record.left_out:
        return f'{images:,} images; no answers out of fold: {record.left_out}'
    assert record.accuracy is not None
    which = 'the images outside test' if TEST in record.images else 'them'
    return (
        f'{images:,} images. A probe on the frozen base, which saw no image of the same cluster, '
        f'answers {_accuracy(record.accuracy)} of {which} as labelled.'
    )


def _accuracy(measured: Measured) -> str:
    ends = _ends(measured.lower, measured.upper)
    return f'{formatting.percent(measured.share)} ({ends})'
