"""What it does to the verdict that the same val images judged before: models, or settings."""

from __future__ import annotations

from thawline.components.evaluation.gate.counts import Counts
from thawline.components.evaluation.gate.params import Gate
from thawline.components.evaluation.gate.record import RuleResult
from thawline.components.evaluation.gate.rule_result import judging_images
from thawline.components.shared import percentages
from thawline.components.statistics.clustered_bound import ALPHA


def alpha(gate: Gate, looks: int) -> float:
    """The share of wrong blessings that the bound allows at this look.

    All looks together, however many there will be, are allowed `ALPHA` where they are paid for: the
    k-th gets 1 / (k (k + 1)) of it, which add up to 1 (Bonferroni's inequality with unequal shares,
    or alpha-spending: Foster & Stine, "alpha-investing", JRSS B 2008).
    """
    return ALPHA / (looks * (looks + 1)) if gate.looks == 'strict' else ALPHA


def looks(counts: Counts, gate: Gate) -> RuleResult | None:
    """What the claim is after so many looks; None where the claim is that of the first."""
    number, pays = counts.looks, gate.looks == 'strict'
    if gate.strictness != 'bound' or (number == 1 and not pays):
        return None
    images = judging_images(counts.val)
    if pays:
        allowed = percentages.percent(alpha(gate, number), 3)
        sentence = (
            f'The bound allows {allowed} wrong blessings, because this is model {number:,} that '
            f'these {images} judge; all models together are allowed {percentages.percent(ALPHA)} '
            '(gate.looks: strict).'
        )
    else:
        together = percentages.percent(min(1.0, number * ALPHA))
        sentence = (
            f'These {images}, or at least half of them, have judged {number:,} models with this '
            f'one. Of {number:,} models that are all at the threshold, one or more would be '
            f'blessed with a chance of up to {together}, not {percentages.percent(ALPHA)}; to pay '
            'for that, set gate.looks: strict, or judge by new images.'
        )
    return RuleResult('looks', f'Looks at the {images}', None, number, None, None, sentence)


def tuned(counts: Counts, gate: Gate) -> RuleResult | None:
    """That images which judge have chosen the settings, too; None where they have not."""
    if not counts.tuned or gate.strictness != 'bound':
        return None
    sentence = (
        'Images that judge have also chosen the settings (training.tuned), which no number of '
        f'them pays for: at most {percentages.percent(ALPHA)} wrong blessings is not what this '
        'bound holds. To know how good the model is, judge it by new images, such as a test split '
        '(data.split.test).'
    )
    return RuleResult('tuned', 'Tuned settings', None, None, None, None, sentence, caution=sentence)
