"""The answer to one image, as the page shows it. Imports no TensorFlow, which takes seconds."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from thawline.pipeline.server.servable import Servable


@dataclasses.dataclass(frozen=True)
class Classification:
    """The answer to one image.

    Attributes:
        version: of the model.
        label: the predicted class.
        score: its probability.
        abstained: whether the score is below the model's threshold.
        top: index, name and probability of the most probable classes, best first.
        explained: index of the class that `heat` belongs to; None where no heat map was requested
            or the model has none.
        heat: [h, w] in [0, 1].
    """

    version: int
    label: str
    score: float
    abstained: bool
    top: tuple[tuple[int, str, float], ...]
    explained: int | None = None
    heat: tuple[tuple[float, ...], ...] = ()


def classify(model: Servable, image: bytes, top: int, explained: int | None) -> Classification:
    """Classifies one canonical image.

    Args:
        model: the version in service.
        image: JPEG or PNG.
        top: number of classes to return.
        explained: index of the class to explain; -1 for the predicted class, None for no heat map.

    Raises:
        InvalidInput: the model cannot decode the image.
    """
    outputs = model.predict('serving_bytes', {'image_bytes': np.array([image], object)})
    probabilities = outputs['probabilities'][0]
    label = outputs['label'][0].decode('utf-8', 'replace')
    score = float(outputs['score'][0])
    answer = Classification(
        model.version,
        label,
        score,
        model.abstain_below is not None and score < model.abstain_below,
        tuple(
            (int(i), model.card.classes[i], round(float(probabilities[i]), 6))
            for i in np.argsort(-probabilities, kind='stable')[:top]
        ),
    )
    if explained is None or not model.can_explain:
        return answer
    if explained < 0:
        explained = model.card.classes.index(label)
    heat = np.round(model.explain(image, explained).astype(np.float64), 3)
    rows = tuple(map(tuple, heat.tolist()))
    return dataclasses.replace(answer, explained=explained, heat=rows)
