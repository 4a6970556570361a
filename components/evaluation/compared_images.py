"""Which images a candidate and its baseline are compared on, and what is known of the baseline."""

from __future__ import annotations

import contextlib
import pathlib

from thawline.components.evaluation import predictions, unseen_images
from thawline.components.evaluation.gate.class_change import ClassChange
from thawline.components.evaluation.gate.counts import ChangedFiles, NoRecord, PairedCount
from thawline.components.evaluation.unseen_images import HeldOutImages, ImagesToCompare
from thawline.components.saved_model import card
from thawline.components.shared import image_table, judged_files
from thawline.components.shared.errors import DataError
from thawline.components.shared.executor import Artifacts
from thawline.components.shared.held_out_answers import HeldOutAnswers
from thawline.components.shared.sample_depth import SampleDepth


def find(
    inputs: Artifacts, candidate: str, baseline: str | None, answers: HeldOutAnswers | None
) -> tuple[ImagesToCompare, PairedCount | NoRecord | ChangedFiles | None]:
    """Images to compare the two on, and what is known of the baseline before it answers.

    Args:
        inputs: of the Evaluator.
        candidate, baseline: folders of the models.
        answers: to images that were held out from the candidate.

    Raises:
        DataError: the baseline is missing.
    """
    if baseline is None:
        return ImagesToCompare(), None
    old = _card_of_baseline(baseline)
    if changes := _changed_files(inputs, baseline):
        return ImagesToCompare(), ChangedFiles(changes)
    new = card.read(pathlib.Path(candidate))
    own = image_table.read(inputs['examples'].uri)
    seen, baseline_seen = (
        [image_table.read(artifact.uri) for artifact in inputs.all_of(key)]
        for key in ('seen_examples', 'baseline_seen_examples')
    )
    known = [table for table in seen if table is not None]
    baseline_known = [table for table in baseline_seen if table is not None]
    complete = len(known) == len(seen) and len(baseline_known) == len(baseline_seen)
    if own is None or not complete or 'baseline_seen_examples' not in inputs:
        return ImagesToCompare(), NoRecord()
    shared = [name for name in new.classes if name in old.classes]
    change = ClassChange.between(old.classes, new.classes)
    counted = PairedCount(0, 0, 0, change, _other_depth(old.depth, new.depth))
    images = unseen_images.find(
        own, known, baseline_known, shared, _held_out(answers), _held_out_from_baseline(inputs)
    )
    return images, counted


def _held_out(answers: HeldOutAnswers | None) -> HeldOutImages:
    """Of the candidate; none where its settings were tuned on the images that judge."""
    if answers is None or answers.tuned:
        return HeldOutImages()
    ids = [identity.decode() for identity in answers.ids]
    return HeldOutImages(dict(zip(ids, map(str, answers.fold), strict=True)))


def _held_out_from_baseline(inputs: Artifacts) -> HeldOutImages:
    """From the predictions of its evaluation; older ones have none."""
    for evaluation in inputs.all_of('baseline_evaluation'):
        with contextlib.suppress(DataError):
            return HeldOutImages.of(predictions.read(evaluation.uri))
    return HeldOutImages()


def _changed_files(inputs: Artifacts, baseline: str) -> str:
    """What of the baseline is not as it was judged; '' also where no record says how it was."""
    for evaluation in inputs.all_of('baseline_evaluation'):
        with contextlib.suppress(FileNotFoundError):
            return judged_files.changes(pathlib.Path(baseline), evaluation)
    return ''


def _other_depth(old: SampleDepth, new: SampleDepth) -> str:
    """A caution where the images are scaled otherwise than those that the baseline learned from."""
    if old == new:
        return ''
    return (
        f'The baseline learned from images of more than 8 bits scaled by {old}, and is compared on '
        f'images scaled by {new}, as the new model is, which puts it at a disadvantage. To compare '
        f'like with like, set data.depth.'
    )


def _card_of_baseline(folder: str) -> card.Card:
    try:
        return card.read(pathlib.Path(folder))
    except FileNotFoundError as error:
        raise DataError(
            f'The baseline is missing from {folder}: restore it, or start over with another '
            '`output` folder in the configuration.'
        ) from error
