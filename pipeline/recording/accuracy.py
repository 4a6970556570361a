"""Accuracy in production: answers that a server recorded, beside the labels that people gave."""

from __future__ import annotations

import dataclasses
import pathlib

from thawline.components.ingestion import label_overlay
from thawline.components.statistics import proportions
from thawline.pipeline.recording import recorded_folder, sample

SEED = 'recorded'  # of the order in which images are drawn for labelling


@dataclasses.dataclass(frozen=True)
class ProductionAccuracy:
    """How often the model was right on images that were drawn at random.

    Attributes:
        share: of right answers among `images`.
        lower, upper: ends of an interval that holds at any time, 95 %.
        images: labelled ones that the model answered.
        of_no_class: among them, those that people put into no class; wrong answers.
        passed_over: images without a label that were drawn before the last labelled one.
        asked: the accuracy on val that the gate asked for; None where it is not recorded.
        val_lower: lower end of the accuracy on val.
    """

    share: float
    lower: float
    upper: float
    images: int
    of_no_class: int
    passed_over: int
    asked: float | None = None
    val_lower: float | None = None

    @property
    def falls_short(self) -> bool:
        """Whether it is surely below what the gate asked for."""
        return self.asked is not None and self.upper < self.asked


def measure(folder: pathlib.Path, model: int) -> ProductionAccuracy | None:
    """Compares the last answers of a model with the labels beside them.

    Args:
        folder: that a server recorded into.
        model: its id in the registry.

    Returns:
        None where no image that it answered has a label.

    Raises:
        DataError: a file is damaged.
    """
    labels = {row.image_id: row.label for row in label_overlay.read(str(labels_file(folder)))}
    if not labels:
        return None
    answers = {
        answer.image_id: answer.label
        for answer in recorded_folder.read_answers(folder)
        if answer.model == model
    }
    drawn = sample.random_order(answers, SEED)
    places = [place for place, name in enumerate(drawn) if name in labels]
    if not places:
        return None
    hits = sum(answers[drawn[place]] == labels[drawn[place]] for place in places)
    interval = proportions.anytime_interval(hits, len(places))
    return ProductionAccuracy(
        hits / len(places), interval.lower, interval.upper, len(places),
        sum(not labels[drawn[place]] for place in places), places[-1] + 1 - len(places),
    )  # fmt: skip


def labels_file(folder: pathlib.Path) -> pathlib.Path:
    """Labels of recorded images, in the form of a project's corrections."""
    return folder / label_overlay.FILE
