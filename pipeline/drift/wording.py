"""The outcome in words and tables, for the terminal and the page."""

from __future__ import annotations

from collections.abc import Iterator

from thawline.components.report import formatting, tables
from thawline.components.report.tables import Cell, Column, Row, Table
from thawline.components.shared import percentages
from thawline.components.shared.text import abbreviate, counted
from thawline.pipeline.drift.record import APPEARANCE, Compared, DriftRecord
from thawline.pipeline.recording.accuracy import ProductionAccuracy

_UNLIKE = 'unlike any class, as the base sees them'


def sentence(record: DriftRecord) -> str:
    """The verdict, and an accuracy in production that contradicts it."""
    short = record.accuracy is not None and record.accuracy.falls_short
    below = '; the accuracy in production is below what the gate asked for' if short else ''
    return _about_drift(record) + below


def _about_drift(record: DriftRecord) -> str:
    if record.verdict == 'too few':
        images = counted(record.independent, 'independent image', 'independent images')
        return f'too few to judge: {images}, at least {record.least:,} needed'
    appearance = next(of for of in record.compared if of.name == APPEARANCE)
    if record.verdict == 'no drift':
        return f'no drift: {measured(appearance)}'
    drifted = [of for of in record.compared if of.drifted]
    if not appearance.drifted:
        return f'drift of {abbreviate((of.name for of in drifted), 4)}'
    also = [of.name for of in drifted if of is not appearance]
    more = f'; also {abbreviate(also, 4)}' if also else ''
    return f'drift: the new images can be told apart, {measured(appearance)}{more}'


def measured(of: Compared) -> str:
    """The value with its interval: 'AUROC 0.83 (0.75 to 0.90)'."""
    return f'{of.measure} {value(of)}'


def value(of: Compared) -> str:
    ends = '' if of.lower is None else f' ({of.lower:.2f} to {of.upper:.2f})'
    return f'{of.value:.2f}{ends}'


def p_text(of: Compared) -> str:
    return f'p = {of.p_value:.3f}' if of.p_value >= 0.001 else 'p < 0.001'


def notes(record: DriftRecord) -> Iterator[str]:
    """What the verdict cannot tell."""
    if record.images < record.listed - len(record.rejected):
        yield f'{record.images:,} of {record.listed:,} images, drawn at random'
    if record.independent < record.images:
        yield (
            f'{record.independent:,} images are independent; the others are copies, '
            'near-duplicates or of one group'
        )
    if record.accuracy and record.accuracy.passed_over:
        yield (
            f'drawn images without a label: {record.accuracy.passed_over:,}; if they were the hard '
            'ones, the accuracy is flattered'
        )
    slight = [of.name for of in record.compared if not of.drifted and of.p_value < 0.05]
    if slight:
        yield f'beyond chance, but below the limit: {abbreviate(slight, 4)}'


def compared_table(record: DriftRecord) -> Table:
    """All that was compared."""
    return Table(
        'What was compared',
        (
            Column('What', 'name'), Column('Measure', 'name'), Column('Value'), Column('Limit'),
            Column('p-value, corrected'),
        ),
        tuple(
            Row(
                (
                    Cell(of.name), Cell(of.measure), Cell(value(of), of.value),
                    Cell(f'{of.threshold:.2f}', of.threshold), Cell(p_text(of), of.p_value),
                ),
                remark='drift' if of.drifted else '',
            )
            for of in record.compared
        ),
        noun='comparisons',
    )  # fmt: skip


def class_table(record: DriftRecord) -> Table:
    """Predicted classes before and now."""
    return Table(
        'Predicted classes',
        (
            Column('Class', 'name'), Column('Before'), Column('Now'),
            Column('Change, points, 95\u00a0% interval', 'interval'),
        ),
        tuple(
            Row((
                Cell(of.name), tables.share(of.before), tables.share(of.now),
                Cell(f'{100 * of.lower:+.1f} to {100 * of.upper:+.1f}'.replace('-', '\u2212')),
            ))
            for of in record.classes
        ),
        noun='classes',
    )  # fmt: skip


def rejected_table(record: DriftRecord) -> Table:
    """Files that cannot be used."""
    return Table(
        f'{len(record.rejected):,} files that cannot be used',
        (Column('File', 'name'), Column('Reason', 'name'), Column('Detail', 'name')),
        tables.text_rows((bad.path, bad.reason, bad.detail) for bad in record.rejected),
    )


def outlier_sentence(record: DriftRecord) -> str:
    """How many images are unlike any class."""
    return (
        f'{percentages.percent(record.outliers)} of the new images are {_UNLIKE}; '
        f'{percentages.percent(record.outliers_before)} of the earlier ones'
    )


def largest_changes(record: DriftRecord, most: int = 3) -> Iterator[str]:
    """Classes whose share changed most: 'bees 52.0 % to 70.1 %'."""
    for of in sorted(record.classes, key=lambda of: -abs(of.now - of.before))[:most]:
        yield f'{of.name} {percentages.percent(of.before)} to {percentages.percent(of.now)}'


def accuracy_sentence(of: ProductionAccuracy) -> str:
    """How often the model was right, with the interval."""
    images = 'image' if of.images == 1 else 'images'
    line = (
        f'{percentages.percent(of.share)} of {of.images:,} labelled {images}; at any time '
        f'{percentages.between(of.lower, of.upper)}'
    )
    if of.asked is not None and of.val_lower is not None:
        line += (
            f'; on val at least {percentages.percent(of.val_lower)}, where the gate asked for '
            f'{percentages.percent(of.asked)}'
        )
    return line


def headline_numbers(record: DriftRecord) -> list[tuple[str, str, str]]:
    """Term, value and words of the page's first numbers."""
    numbers = [
        ('New images', f'{record.images:,}', f'{record.independent:,} independent'),
        ('Earlier images', f'{record.earlier:,}', f'of model {record.model}'),
    ]
    for of in record.compared:
        if of.name == APPEARANCE:
            ends = value(of).partition(' ')[2]
            numbers.insert(0, (of.measure, f'{of.value:.2f}', f'{ends}, limit {of.threshold:.2f}'))
    if of_labels := record.accuracy:
        numbers.insert(
            0,
            ('Accuracy in production', formatting.percent(of_labels.share),
             f'{percentages.between(of_labels.lower, of_labels.upper)} at any time'),
        )  # fmt: skip
    numbers.append(
        ('Outliers', formatting.percent(record.outliers),
         f'{formatting.percent(record.outliers_before)} before')
    )  # fmt: skip
    return numbers
