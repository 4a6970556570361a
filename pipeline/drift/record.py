"""What a comparison of new images with earlier ones found, as values; read without TensorFlow."""

from __future__ import annotations

import dataclasses
from typing import Literal

from thawline.components.ingestion.quarantine import Rejected
from thawline.components.shared.records import Record
from thawline.pipeline.recording.accuracy import ProductionAccuracy

Verdict = Literal['drift', 'no drift', 'too few']
APPEARANCE, PREDICTED = 'appearance', 'predicted class'


@dataclasses.dataclass(frozen=True)
class Compared:
    """One thing in which new and earlier images may differ.

    Attributes:
        name: 'appearance', a fact of the images, or 'predicted class'.
        measure: 'AUROC', 'Jensen-Shannon' or 'largest change'.
        value: of the measure.
        lower, upper: its 95 % interval; None where it has none.
        threshold: from which value on it counts.
        p_value: of such a value by chance, corrected for all that is compared (Holm).
        drifted: whether it is beyond chance and counts.
    """

    name: str
    measure: str
    value: float
    lower: float | None
    upper: float | None
    threshold: float
    p_value: float
    drifted: bool


@dataclasses.dataclass(frozen=True)
class ClassShare:
    """The share of images that the model predicts as a class; the change has a 95 % interval."""

    name: str
    before: float
    now: float
    lower: float
    upper: float


@dataclasses.dataclass(frozen=True)
class DifferentImage:
    """An image that stands for the difference.

    Attributes:
        image_id: see `components.ingestion.examples`.
        name: of the file.
        label: the predicted class of a new image, the label of an earlier one.
        score: of the prediction; None for an earlier image.
        likeness: share of the images of the other kind that look less new; 1 for the newest.
        distance: cosine distance to the nearest class of the earlier images.
    """

    image_id: str
    name: str
    label: str
    score: float | None
    likeness: float
    distance: float


@dataclasses.dataclass(frozen=True)
class DriftRecord(Record):
    """The file of a comparison.

    Attributes:
        project: its name.
        created: ISO 8601, UTC.
        source: the folder or table of new images.
        model, run: whose images they are compared with.
        verdict: what the exit code says too.
        sentence: the verdict in words.
        images: new images that were compared; `listed` were there.
        independent: of them, without copies and near-duplicates.
        least: independent images from which on there is a verdict.
        earlier: images of train and val.
        compared: the most different first; empty where there are too few.
        classes: of the model, in its order.
        outliers_before, outliers: shares of images that are unlike any class.
        different: new images, the most different first.
        missing: earlier images that the new ones have none of, the most different first.
        rejected: files that cannot be used.
        notes: what the verdict cannot tell.
        accuracy: on recorded images that people labelled; None where there are none.
    """

    FILE = 'drift.json'
    FORMAT = 1

    project: str
    created: str
    source: str
    model: int
    run: str
    verdict: Verdict
    sentence: str
    images: int
    listed: int
    independent: int
    least: int
    earlier: int
    compared: tuple[Compared, ...]
    classes: tuple[ClassShare, ...]
    outliers_before: float
    outliers: float
    different: tuple[DifferentImage, ...]
    missing: tuple[DifferentImage, ...]
    rejected: tuple[Rejected, ...]
    notes: tuple[str, ...] = ()
    accuracy: ProductionAccuracy | None = None

    @property
    def holds(self) -> bool | None:
        """Whether nothing speaks against the model on the new images; None: too few to say."""
        if self.verdict == 'drift' or (self.accuracy and self.accuracy.falls_short):
            return False
        return True if self.verdict == 'no drift' else None
