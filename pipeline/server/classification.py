"""One image and what the page shows of its answer. Imports no TensorFlow, which takes its time."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from thawline.pipeline.server.servable import Servable


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the page shows of one image.

    Attributes:
        version: of the model that answered.
        label: the answer.
        score: its probability.
        abstained: whether the score is below what the card asks for.
        top: index, name and probability of the most probable classes, best first.
        explained: index of the class that `heat` speaks for, None where it was not asked for or
            the model cannot say.
        heat: [h, w] in [0, 1].
    """

    version: int
    label: str
    score: float
    abstained: bool
    top: tuple[tuple[int, str, float], ...]
    explained: int | None = None
    heat: tuple[tuple[float, ...], ...] = ()


def classify(model: Servable, image: bytes, top: int, explained: int | None) -> Answer:
    """Answers one canonical image.

    Args:
        model: the version that answers.
        image: JPEG or PNG.
        top: how many classes to tell of.
        explained: index of the class to explain; -1 for the answered one, None for none.

    Raises:
        Refused: the model cannot decode the image.
    """
    found = model.predict('serving_bytes', {'image_bytes': np.array([image], object)})
    probabilities, label = found['probabilities'][0], found['label'][0].decode('utf-8', 'replace')
    score = float(found['score'][0])
    order = np.argsort(-probabilities, kind='stable')[:top]
    abstained = model.abstain_below is not None and score < model.abstain_below
    best = tuple((int(i), model.card.classes[i], round(float(probabilities[i]), 6)) for i in order)
    if explained is None or not model.can_explain:
        return Answer(model.version, label, score, abstained, best)
    if explained < 0:
        explained = model.card.classes.index(label)
    heat = np.round(model.explain(image, explained).astype(np.float64), 3)
    rows = tuple(map(tuple, heat.tolist()))
    return Answer(model.version, label, score, abstained, best, explained, rows)
