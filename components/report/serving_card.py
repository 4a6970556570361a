"""How the exported model is served: what it costs, how it behaves, and what else was exported."""

from __future__ import annotations

from thawline.components.export.record import Export, ExportsRecord
from thawline.components.report.content import Fact, FactCard
from thawline.components.serving_check.record import ServingCheckRecord
from thawline.components.shared.percentages import percent


def card(exported: ExportsRecord, checked: ServingCheckRecord) -> FactCard:
    """The card; of a model that was not blessed it says little."""
    facts = [Fact('SavedModel', f'{exported.megabytes:,.1f} MB')]
    if not checked.checked:
        facts.append(Fact('Serving check', 'not asked: the model was not blessed'))
        return FactCard('serving', 'Serving', tuple(facts))
    facts.append(
        Fact(
            'Serving check',
            'passed' if checked.passed else 'FAILED, nothing was pushed',
            '\n'.join(checked.problems)
            or f'{checked.images:,} val images through three signatures, in a process that has '
            'only TensorFlow: the same answers as were evaluated, probabilities within '
            f'{checked.largest_change or 0.0:.1g}',
        )
    )
    if 'serving_bytes' in checked.latency:
        bytes_ = checked.latency['serving_bytes']
        facts.append(
            Fact(
                'Latency of one image',
                f'{bytes_.p50:.1f} ms (95th percentile {bytes_.p95:.1f} ms)',
                '; '.join(
                    f'{name} {one.p50:.1f} ms ({one.p95:.1f} ms)'
                    for name, one in checked.latency.items()
                ),
            )
        )
    if checked.memory_mb is not None and checked.without_model_mb is not None:
        peak = f'; at most {checked.peak_mb:,.0f} MB in all requests' if checked.peak_mb else ''
        facts.append(
            Fact(
                'Memory',
                f'{checked.memory_mb:,.0f} MB',
                f'of which TensorFlow alone takes {checked.without_model_mb:,.0f} MB{peak}',
            )
        )
    if checked.cold_start is not None:
        facts.append(
            Fact(
                'Cold start',
                f'{checked.cold_start:.1f} s',
                f'loading {checked.load_seconds:.1f} s, first answer '
                f'{checked.first_answer_seconds:.1f} s; importing TensorFlow '
                f'{checked.import_seconds or 0.0:.1f} s besides',
            )
        )
    if checked.requests:
        errors = sum(request.came == 'error' for request in checked.requests)
        answers = sum(request.came == 'answer' for request in checked.requests)
        facts.append(
            Fact(
                'Hostile requests',
                f'{errors} errors and {answers} answers to {len(checked.requests)}',
                '; '.join(f'{one.name}: {one.said or one.came}' for one in checked.requests),
            )
        )
    facts += [_export_fact(one) for one in exported.exports]
    if exported.abstain:
        abstain = exported.abstain
        facts.append(
            Fact(
                'Abstains',
                f'below a score of {abstain.threshold:.3f}',
                f'{percent(abstain.coverage)} of val is answered, accuracy '
                f'{percent(abstain.reached)}, at least {percent(abstain.lower)}'
                + (f'; {exported.abstain_note}' if exported.abstain_note else ''),
            )
        )
    elif exported.abstain_note:
        facts.append(Fact('Abstains', 'never', exported.abstain_note))
    return FactCard('serving', 'Serving', tuple(facts))


def _export_fact(one: Export) -> Fact:
    told = [f'{one.megabytes:,.1f} MB'] if one.megabytes is not None else []
    if one.latency_ms is not None:
        told.append(f'{one.latency_ms:.1f} ms an image')
    value = ', '.join(told) if one.placed else 'refused'
    detail = '; '.join(filter(None, (one.why, '' if one.placed else ', '.join(told), one.library)))
    return Fact(f'Export {one.kind}', value, detail)
