"""The serving card: cost and behaviour of the exported model, and other exports."""

from __future__ import annotations

from collections.abc import Iterator

from thawline.components.export.record import Export, ExportsRecord
from thawline.components.report.content import Fact, FactCard
from thawline.components.serving_check.record import ServingCheckRecord
from thawline.components.shared.percentages import percent


def card(exported: ExportsRecord, checked: ServingCheckRecord) -> FactCard:
    """The card; it is short for a model that was not blessed."""
    return FactCard('serving', 'Serving', tuple(_facts(exported, checked)))


def _facts(exported: ExportsRecord, checked: ServingCheckRecord) -> Iterator[Fact]:
    yield Fact('SavedModel', f'{exported.megabytes:,.1f} MB')
    if not checked.checked:
        yield Fact('Serving check', 'skipped: the model was not blessed')
        return
    yield Fact(
        'Serving check',
        'passed' if checked.passed else 'FAILED, nothing was pushed',
        '\n'.join(checked.problems)
        or f'{checked.images:,} images through three signatures in a process with TensorFlow '
        'alone: the same predictions as in the evaluation, probabilities within '
        f'{checked.largest_change or 0.0:.1g}',
    )
    if latency := checked.latency.get('serving_bytes'):
        yield Fact(
            'Latency of one image',
            f'{latency.p50:.1f} ms (95th percentile {latency.p95:.1f} ms)',
            '; '.join(
                f'{name} {of.p50:.1f} ms ({of.p95:.1f} ms)' for name, of in checked.latency.items()
            ),
        )
    if checked.memory_mb is not None and checked.without_model_mb is not None:
        peak = f'; peak over all requests {checked.peak_mb:,.0f} MB' if checked.peak_mb else ''
        yield Fact(
            'Memory',
            f'{checked.memory_mb:,.0f} MB',
            f'of which TensorFlow itself takes {checked.without_model_mb:,.0f} MB{peak}',
        )
    if checked.cold_start is not None:
        yield Fact(
            'Cold start',
            f'{checked.cold_start:.1f} s',
            f'loading {checked.load_seconds:.1f} s, first answer '
            f'{checked.first_answer_seconds:.1f} s; without importing TensorFlow '
            f'({checked.import_seconds or 0.0:.1f} s)',
        )
    if checked.requests:
        errors = sum(request.came == 'error' for request in checked.requests)
        answers = sum(request.came == 'answer' for request in checked.requests)
        yield Fact(
            'Hostile requests',
            f'{errors} errors and {answers} answers to {len(checked.requests)}',
            '; '.join(
                f'{request.name}: {request.said or request.came}' for request in checked.requests
            ),
        )
    yield from map(_export_fact, exported.exports)
    if abstain := exported.abstain:
        note = f'; {exported.abstain_note}' if exported.abstain_note else ''
        yield Fact(
            'Abstains',
            f'below a score of {abstain.threshold:.3f}',
            f'answers {percent(abstain.coverage)} of the images that judged, with an accuracy of '
            f'{percent(abstain.reached)}, at least {percent(abstain.lower)}{note}',
        )
    elif exported.abstain_note:
        yield Fact('Abstains', 'never', exported.abstain_note)


def _export_fact(export: Export) -> Fact:
    cost = f'{export.megabytes:,.1f} MB' if export.megabytes is not None else ''
    if export.latency_ms is not None:
        cost += f'{", " if cost else ""}{export.latency_ms:.1f} ms per image'
    value, unused_cost = (cost, '') if export.placed else ('refused', cost)
    detail = '; '.join(filter(None, (export.why, unused_cost, export.library)))
    return Fact(f'Export {export.kind}', value, detail)
