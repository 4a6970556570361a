"""What the gate judges: counts of correct answers, and a few metrics beside them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from thawline.components.evaluation.gate.class_change import NO_CHANGE, ClassChange
from thawline.components.statistics import clustered_bound
from thawline.components.statistics.clustered_bound import ALPHA, Tally
from thawline.components.statistics.paired import PairTally
from thawline.components.statistics.proportions import Interval


@dataclasses.dataclass(frozen=True)
class HitCount:
    """`hits` of `n` images are classified correctly.

    Attributes:
        clusters: their tally, see `clustered_bound`; empty where no two share a cluster.
        unit: what is counted: 'image', or 'group' where the images of one are answered together.
        kind: which of them, before the word for one: 'val'; '' where all images judge, in folds.
    """

    hits: int
    n: int
    clusters: Tally = ()
    unit: str = 'image'
    kind: str = 'val'

    @property
    def groups(self) -> int | None:
        """How many clusters there are; None where each image stands for itself."""
        return clustered_bound.cluster_count(self.n, self.clusters) if self.clusters else None

    @property
    def interval(self) -> Interval:
        """As people are shown it."""
        return clustered_bound.interval(self.hits, self.n, self.clusters)

    @property
    def effective(self) -> tuple[int, int]:
        """Hits and images of independent images that say as much."""
        return clustered_bound.effective_count(self.hits, self.n, self.clusters)

    def lower_bound(self, alpha: float = ALPHA) -> float:
        """See `clustered_bound.lower_bound`."""
        return clustered_bound.lower_bound(self.hits, self.n, self.clusters, alpha)

    def upper_bound(self, alpha: float) -> float:
        """See `clustered_bound.upper_bound`."""
        return clustered_bound.upper_bound(self.hits, self.n, self.clusters, alpha)

    @property
    def share(self) -> float:
        """Of hits; there must be an image."""
        return self.hits / self.n


@dataclasses.dataclass(frozen=True)
class SliceCount:
    """The val images whose `column` is `value`."""

    column: str
    value: str
    count: HitCount


@dataclasses.dataclass(frozen=True)
class PairedCount:
    """The candidate beside its baseline on the same `n` test images.

    Neither was trained or chosen on any of these, or on another image of their groups, and both
    know the class of each. An answer of a class that the other model lacks is an answer as any: it
    is wrong.

    Attributes:
        won: images that only the candidate classifies correctly.
        lost: images that only the baseline classifies correctly.
        n: all of them.
        classes: how the candidate's classes differ; images of these are not among the `n`.
        caution: what puts the baseline at a disadvantage, for people; '' where nothing does.
        clusters: their tally, see `paired.compare`; empty where no two images share a cluster.
    """

    won: int
    lost: int
    n: int
    classes: ClassChange = NO_CHANGE
    caution: str = ''
    clusters: PairTally = ()

    @property
    def groups(self) -> int | None:
        """How many clusters there are; None where each image stands for itself."""
        return sum(number for *_, number in self.clusters) if self.clusters else None


@dataclasses.dataclass(frozen=True)
class NoRecord:
    """Nothing says which images the baseline has seen, which rules out a comparison."""


@dataclasses.dataclass(frozen=True)
class ChangedFiles:
    """The baseline's files are no longer those that were judged, which rules out a comparison.

    Attributes:
        changes: which, for people.
    """

    changes: str


@dataclasses.dataclass(frozen=True)
class Counts:
    """All that the gate judges.

    Attributes:
        val, test: labelled images.
        classes: val images by label; each class of the model, with n = 0 if it has none.
        slices: val images of every slice whose column a rule names, small ones too.
        calibration_error: expected calibration error on val, None or NaN where it has none.
        baseline: None without one.
        latency_ms: 95th percentile of one image through `serving_pixels`, None if not measured.
        size_mb: of the exported model in 10^6 bytes, None if not measured.
        not_finite: val and test images with a probability that is NaN or infinite.
        looks: how many models these val images have judged, with this one.
        tuned: whether some of them have also chosen the settings of the training.
        corrected: images whose label somebody corrected, by split; splits without may be missing.
    """

    val: HitCount
    test: HitCount
    classes: Mapping[str, HitCount]
    slices: tuple[SliceCount, ...] = ()
    calibration_error: float | None = None
    baseline: PairedCount | NoRecord | ChangedFiles | None = None
    latency_ms: float | None = None
    size_mb: float | None = None
    not_finite: int = 0
    looks: int = 1
    tuned: bool = False
    corrected: Mapping[str, int] = dataclasses.field(default_factory=dict)
