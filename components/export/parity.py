"""An export against the SavedModel that it was made from, on the same val images.

Needs neither TensorFlow nor TFX.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from thawline.components.statistics.paired import share_difference
from thawline.components.statistics.paired_outcome import Difference

SAME = 0.001  # probabilities that differ by less are the same but for the order of additions


@dataclasses.dataclass(frozen=True)
class Parity:
    """What a format changes.

    Attributes:
        images: labelled ones that both answered.
        accuracy: of the export on these; None without any.
        difference: the export's accuracy less the SavedModel's; None without any.
        agreement: share of all images with the same answer.
        largest_change: of any probability.
        same: whether all answers are the same, their probabilities too but for rounding.
    """

    images: int
    accuracy: float | None
    difference: Difference | None
    agreement: float
    largest_change: float
    same: bool


def compare(
    exported: np.ndarray,
    exported_answers: np.ndarray,
    reference: np.ndarray,
    reference_answers: np.ndarray,
    labels: np.ndarray,
    labelled: np.ndarray,
) -> Parity:
    """Compares answers to the same images.

    Args:
        exported, reference: probabilities, float32 [N, C], N at least 1.
        exported_answers, reference_answers: int64 [N].
        labels: int64 [N]; -1 for a class that the model does not know.
        labelled: bool [N].
    """
    change = float(np.abs(exported - reference).max())
    agree = exported_answers == reference_answers
    accuracy, difference = None, None
    if n := int(labelled.sum()):
        mine, theirs = (
            (answers == labels)[labelled] for answers in (exported_answers, reference_answers)
        )
        accuracy = float(mine.mean())
        difference = share_difference(int((theirs & ~mine).sum()), int((mine & ~theirs).sum()), n)
    # Written so that NaN is no sameness.
    same = bool(agree.all()) and change < SAME
    return Parity(n, accuracy, difference, float(agree.mean()), change, same)


def verdict(parity: Parity, tolerance: float) -> tuple[bool, str]:
    """Whether an export may be used, and why, in words.

    One that computes the same function loses nothing, however few images say so. Of any other the
    loss that val cannot rule out counts: the lower end of the interval of the difference.

    Args:
        tolerance: most accuracy that may be lost, in [0, 1).
    """
    if parity.same:
        return True, 'the same answers as the SavedModel'
    if not np.isfinite(parity.largest_change):
        return False, 'it answers with probabilities that are no numbers'
    difference = parity.difference
    if difference is None or difference.lower is None or difference.upper is None:
        return False, 'there is no labelled val image to tell what it loses'
    facts = (
        f'val accuracy {100 * difference.value:+.1f} points ({100 * difference.lower:+.1f} to '
        f'{100 * difference.upper:+.1f}) on {parity.images:,} images'
    )
    if -difference.lower <= tolerance:
        return True, f'{facts}, within the tolerance of {100 * tolerance:g} points'
    why = f'{facts}: a loss of more than {100 * tolerance:g} points cannot be ruled out'
    if -difference.value <= tolerance:
        needed = _images_needed(parity.images, difference.value, parity.agreement, tolerance)
        why += f' (with {needed:,} such images it could)' if needed else ''
    return False, f'{why}; the tolerance is serving.exports_tolerance'


def _images_needed(n: int, value: float, agreement: float, tolerance: float) -> int | None:
    """About how many images of the same kind would settle it; None where ten thousand would not."""
    for factor in (1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32):
        more = round(n * factor)
        if more > 10_000:
            return None
        differ = max(abs(value), 1 - agreement) * more
        won, lost = round((differ + value * more) / 2), round((differ - value * more) / 2)
        lower = share_difference(max(lost, 0), max(won, 0), more).lower
        if lower is not None and -lower <= tolerance:
            return more
    return None
