"""What the Exporter made, as values: read by the report and by commands, without TensorFlow."""

from __future__ import annotations

import dataclasses

from thawline.components.saved_model.card import AbstainThreshold
from thawline.components.shared.records import Record


@dataclasses.dataclass(frozen=True)
class Export:
    """One format beside the SavedModel.

    Attributes:
        kind: 'litert', 'litert_dynamic', 'litert_int8' or 'onnx'.
        placed: whether it is part of the exported model.
        why: why it is, or is not, in words.
        library: that made it and ran it, with versions.
        megabytes: of its file, in 10**6 bytes; None where none was made.
        latency_ms: median of one image, pixels in and probabilities out, two threads.
        images: of val that it was compared on, labelled ones.
        accuracy: on these.
        difference: to the SavedModel's accuracy on the same images; negative: lost.
        lower, upper: ends of its 95 % interval.
        agreement: share of val images with the same answer.
        largest_change: of any probability.
    """

    kind: str
    placed: bool
    why: str
    library: str = ''
    megabytes: float | None = None
    latency_ms: float | None = None
    images: int = 0
    accuracy: float | None = None
    difference: float | None = None
    lower: float | None = None
    upper: float | None = None
    agreement: float | None = None
    largest_change: float | None = None


@dataclasses.dataclass(frozen=True)
class ExportsRecord(Record):
    """Everything that is exported.

    Attributes:
        blessed: whether the model is; formats beside the SavedModel are made of blessed ones alone.
        megabytes: of the SavedModel, in 10**6 bytes.
        latency_ms: the SavedModel's, measured as those of the exports; None without exports.
        exports: in the order of the configuration.
        abstain: the threshold below which the model abstains; None without one.
        abstain_note: why there is none although it was asked for, or what it reaches on test.
    """

    FILE = 'exports.json'
    FORMAT = 1

    blessed: bool
    megabytes: float
    latency_ms: float | None
    exports: tuple[Export, ...]
    abstain: AbstainThreshold | None
    abstain_note: str

    @property
    def placed(self) -> tuple[str, ...]:
        """Kinds of the formats beside the SavedModel."""
        return tuple(export.kind for export in self.exports if export.placed)
