"""What a training leads to: what ships, and the answers that it is judged by."""

from __future__ import annotations

import dataclasses

from thawline.components.backbones import classifier as model
from thawline.components.saved_model.decision_rule import Rule
from thawline.components.shared.held_out_answers import HeldOutAnswers
from thawline.components.training.record import TrainingRecord


@dataclasses.dataclass(frozen=True)
class ValidatedClassifier:
    """What ships, and what it is judged by.

    Attributes:
        classifier: with the weights that ship.
        rule: turns its logits into an answer.
        record: of the training, as `recipe.train` leaves it.
        answers: to the images that judge.
    """

    classifier: model.Classifier
    rule: Rule
    record: TrainingRecord
    answers: HeldOutAnswers
