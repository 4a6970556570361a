"""What the first screen says beside the verdict, as short cards with the counts behind them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence

from thawline.components.evaluation.gate.record import Verdict
from thawline.components.ingestion import quarantine
from thawline.components.ingestion.summary import IngestionSummary
from thawline.components.report import changes_card, formatting, ranking
from thawline.components.report.content import Fact, FactCard, ReportContent, SplitResults
from thawline.components.shared.splits import TEST, VAL
from thawline.components.shared.text import abbreviate
from thawline.components.statistics.paired_outcome import PairedOutcome, p_text

# Rules that judge the model by test images; all others look at val.
_TEST_RULES = ('paired_test', 'max_drop', 'test_contradiction')
_CONFLICTS = (quarantine.CONFLICTING_LABELS, quarantine.CONFLICTING_ROWS)
_DECISION = re.compile(r'(?:not )?blessed\s*[:.,;]?\s*', re.IGNORECASE)
_LISTED = 3


@dataclasses.dataclass(frozen=True)
class LabelEvidence:
    """What speaks against the labels.

    Attributes:
        suspects: split -> labels that answers out of fold contradict.
        compared: labels that were compared with such answers.
        summary: of the ingestion.
    """

    suspects: Mapping[str, int]
    compared: int
    summary: IngestionSummary


def opening_split(verdict: Verdict, splits: Sequence[str]) -> str:
    """The split that a report opens on: the one that refused the model, else the first."""
    refused = next((rule.name for rule in verdict.rules if rule.holds is False), '')
    return TEST if refused in _TEST_RULES and TEST in splits else next(iter(splits), VAL)


def title(report: ReportContent) -> str:
    """The decision in large letters."""
    decision = formatting.decision(report.verdict, report.serving_problems)
    return decision[:1].upper() + decision[1:]


def sentences(report: ReportContent) -> list[str]:
    """Why it was decided so, without the decision, which stands above in large letters."""
    headline = report.verdict.headline
    reason = _DECISION.sub('', headline, count=1) if _DECISION.match(headline) else headline
    reason = reason[:1].upper() + reason[1:]
    if report.is_servable or not report.verdict.blessed:
        return [reason]
    problems = '; '.join(report.serving_problems)
    return [f'Nothing was pushed: {problems}.', f'The gate had blessed the model. {reason}']


def weaknesses(split: str, results: SplitResults, least: int) -> FactCard:
    """Where the model fails.

    Args:
        split: the name of the split.
        results: on it.
        least: with fewer images a class or a slice cannot be judged.
    """
    facts = (
        *_weakest_class(split, results, least),
        *_most_confused(split, results),
        *_weakest_slice(split, results, least),
    )
    return FactCard('weaknesses', 'Where does it fail?', facts)


def _weakest_class(split: str, results: SplitResults, least: int) -> Iterator[Fact]:
    order = ranking.worst_classes(results, len(results.classes))
    judged = [row for row in order if row.recall.n >= least]
    few = [f'{row.name} ({row.images:,})' for row in results.classes if row.images < least]
    if worst := next(iter(judged or order), None):
        hits = round((worst.recall.share or 0.0) * worst.recall.n)
        images = formatting.split_images(worst.recall.n, split, results.folds)
        detail = (
            f'{hits:,} of {images} recognised, 95 % interval '
            f'{formatting.interval_ends(worst.recall)}'
        )
        value = f'{worst.name}, {formatting.percent(worst.recall.share)}'
        yield Fact('Weakest class', value, detail if judged else f'{detail}: too few to judge')
    if few and judged:
        yield Fact(
            'Too few to judge',
            abbreviate(few, _LISTED),
            f'fewer than {formatting.split_images(least, split, results.folds)}',
        )


def _most_confused(split: str, results: SplitResults) -> Iterator[Fact]:
    for pair in ranking.top_confusions(results, 1):
        names = [results.classes[i].name for i in (pair.cell.label, pair.cell.answer)]
        detail = (
            f'{formatting.split_images(pair.cell.count, split, results.folds)}, '
            f'{formatting.percent(pair.share)} of the class'
        )
        yield Fact('Most confused', '{} taken for {}'.format(*names), detail)


def _weakest_slice(split: str, results: SplitResults, least: int) -> Iterator[Fact]:
    if not results.slices:
        return
    term = 'Weakest slice'
    judged = [of for of in results.slices if not of.small]
    if not judged:
        n = max(of.accuracy.n for of in results.slices)
        yield Fact(
            term,
            'too few to judge',
            f'the largest has {formatting.split_images(n, split, results.folds)}',
        )
        return
    worst = next(iter(ranking.weak_slices(judged)), None)
    if worst is None or worst.gap is None:
        yield Fact(term, 'none', 'no slice that can be judged is a point below the whole')
        return
    chance = '' if worst.gap.clear else '; may be chance'
    images = formatting.split_images(worst.accuracy.n, split, results.folds)
    yield Fact(
        term,
        f'{worst.column} {worst.value}, {formatting.percent(worst.accuracy.share)}',
        f'{images}, {formatting.points(worst.gap.value)} against the whole, 95 % interval '
        f'{formatting.difference_ends(worst.gap)}{chance}',
    )


def changes(verdict: Verdict, since_last: Sequence[Fact]) -> FactCard:
    """What changed: against the baseline, then since the last report, see `changes_card.brief`."""
    against, test = changes_card.against_baseline(verdict), verdict.paired
    if test is not None and test.outcome is not PairedOutcome.TOO_FEW:
        # The whole sentence is among the rules and in the card of changes.
        counts = (
            f'won {test.won:,}, lost {test.lost:,} of {test.n:,} images that neither has '
            f'seen ({p_text(test.p_value, test.level)})'
        )
        against = dataclasses.replace(against, detail=counts)
    elif any(against.detail.startswith(caution) for caution in verdict.cautions):
        against = dataclasses.replace(against, detail='')  # it stands above the cards
    return FactCard('progress', 'What changed?', (against, *since_last))


def labels(evidence: LabelEvidence) -> FactCard:
    """Whether the labels can be trusted: evidence, and no proof."""
    summary, suspects = evidence.summary, sum(evidence.suspects.values())
    if evidence.compared:
        share = formatting.percent(suspects / evidence.compared)
        value = f'{suspects:,} of {evidence.compared:,} ({share})' if suspects else 'none'
        where = '' if summary.folds else _counts_by_split(evidence.suspects)
        detail = f'contradicted out of fold{where}; look at them' if suspects else ''
    else:
        value, detail = 'not checked', ''
    conflicts = sum(summary.reasons.get(reason, 0) for reason in _CONFLICTS)
    rejected = ', '.join(f'{reason} {count:,}' for reason, count in summary.reasons.items())
    facts = (
        Fact('Suspicious labels', value, detail),
        Fact(
            'Conflicting labels',
            f'{conflicts:,} files' if conflicts else 'none',
            'one image under several labels; left out' if conflicts else '',
        ),
        Fact(
            'Quarantined',
            f'{summary.quarantined:,} of {summary.total:,} files' if rejected else 'none',
            rejected,
        ),
    )
    return FactCard('labels', 'Can I trust the labels?', facts)


def _counts_by_split(counts: Mapping[str, int]) -> str:
    """In folds nobody asks which images are train or val: each image is both in its turn."""
    return ': ' + ', '.join(f'{count:,} in {split}' for split, count in counts.items())
