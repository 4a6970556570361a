"""What the data audit leaves for readers; light, so that commands read it without SciPy."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from thawline.components.shared.finding import Finding
from thawline.components.shared.records import Record

# A fact is spurious where it surely mends such a share of the errors of always answering the
# majority: brightness and sharpness of photographs always tell a little.
_SPURIOUS = 0.25
# As the defaults of `thawline drift`.
_LEVEL, _CLEAR = 0.05, 0.6


@dataclasses.dataclass(frozen=True)
class Measured:
    """A share with its 95 % interval, over `n` images."""

    share: float
    lower: float
    upper: float
    n: int


@dataclasses.dataclass(frozen=True)
class Overlap:
    """Two classes whose labels are confused.

    Attributes:
        a, b: their names.
        a_as_b, b_as_a: images labelled one that are confidently answered as the other.
        share: of the images of both.
    """

    a: str
    b: str
    a_as_b: int
    b_as_a: int
    share: float


@dataclasses.dataclass(frozen=True)
class PairedImage:
    """One image of a pair; `split` may be a fold, such as 'fold 2'."""

    id: str
    path: str
    split: str
    label: str


@dataclasses.dataclass(frozen=True)
class SamePair:
    """Two images of different splits or folds that look the same; the cosine of their features."""

    a: PairedImage
    b: PairedImage
    cosine: float


@dataclasses.dataclass(frozen=True)
class FactAccuracy:
    """How well one fact predicts the class, out of fold.

    Attributes:
        name: of the fact.
        accuracy, majority: shares of hits, of it and of always the most frequent class.
        lower, upper: 95 % interval of their difference.
    """

    name: str
    accuracy: float
    majority: float
    lower: float
    upper: float

    @property
    def is_spurious(self) -> bool:
        """Whether it surely mends a quarter of the errors that the majority makes."""
        return self.lower >= _SPURIOUS * max(1 - self.majority, 1e-9)


@dataclasses.dataclass(frozen=True)
class Rival:
    """Accuracy out of fold of something else on the same images, and the base's gain over it.

    Attributes:
        name: 'majority', 'pixels' or 'random weights'.
        accuracy: its own.
        gain, lower, upper: of the base over it, with its 95 % interval.
    """

    name: str
    accuracy: float
    gain: float
    lower: float
    upper: float


@dataclasses.dataclass(frozen=True)
class BaseCheck:
    """Accuracy of a probe on the base and of its rivals, on the same `images` images."""

    accuracy: float
    images: int
    rivals: tuple[Rival, ...]

    @property
    def better(self) -> tuple[Rival, ...]:
        """Rivals that are better beyond noise: negative transfer."""
        return tuple(rival for rival in self.rivals if rival.upper < 0)

    @property
    def not_worse(self) -> tuple[Rival, ...]:
        """Rivals that the base is not shown to be better than."""
        return tuple(rival for rival in self.rivals if rival.lower <= 0)


@dataclasses.dataclass(frozen=True)
class Imbalance:
    """The smallest class beside the largest, by their images in train and val."""

    smallest: str
    largest: str
    images: int
    largest_images: int
    recall: Measured
    majority: float


@dataclasses.dataclass(frozen=True)
class Forecast:
    """Accuracy after more images, by a probe.

    Attributes:
        more: how many.
        label: of which class; '' for all in the proportions of now.
        now: accuracy with the images there are.
        accuracy: expected, of all images.
        lower, upper: its 90 % interval.
        gain_lower, gain_upper: 90 % interval of the gain.
    """

    more: int
    label: str
    now: float
    accuracy: float
    lower: float
    upper: float
    gain_lower: float
    gain_upper: float


@dataclasses.dataclass(frozen=True)
class NewImageCheck:
    """Images that the last blessed model's run had not, beside those that it had.

    Attributes:
        model: its id.
        images: how many new ones of train and val were compared.
        auroc, lower, upper: how well the two are told apart by their features, 0.5 for a guess.
        p_value: of such an area by chance.
    """

    model: int
    images: int
    auroc: float
    lower: float
    upper: float
    p_value: float

    @property
    def differ(self) -> bool:
        """Whether they differ beyond chance and by more than a little."""
        return self.p_value <= _LEVEL and self.auroc >= _CLEAR


@dataclasses.dataclass(frozen=True)
class AuditRecord(Record):
    """The file of a DataAudit.

    Attributes:
        images: with a label and features, by split.
        left_out: why there are no answers out of fold, and nothing that rests on them; else ''.
        accuracy: of a probe out of fold, on train and val; None where left out.
        suspects, outliers: counts by split.
        overlaps: classes that the labels confuse, the worst first.
        pairs: the most similar pairs across splits; `pair_count` of them in all.
        facts: the best first.
        base: None where it was not measured.
        imbalance: None with classes of about the same size.
        forecasts: of all classes, then of single ones.
        findings: in words, fatal ones first.
        new: None without an earlier blessed model on the same base, or with too few new images.
    """

    FILE = 'audit.json'

    images: Mapping[str, int]
    left_out: str
    accuracy: Measured | None
    suspects: Mapping[str, int]
    outliers: Mapping[str, int]
    overlaps: tuple[Overlap, ...]
    pairs: tuple[SamePair, ...]
    pair_count: int
    facts: tuple[FactAccuracy, ...]
    base: BaseCheck | None
    imbalance: Imbalance | None
    forecasts: tuple[Forecast, ...]
    findings: tuple[Finding, ...]
    new: NewImageCheck | None = None
