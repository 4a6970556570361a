"""The record of a training, as values; read without TensorFlow and SciPy."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Literal

from thawline.components.shared.percentages import percent
from thawline.components.shared.records import Record

Kept = Literal['probe', 'fine_tuned', 'interpolated', 'averaged']
# Left out of the file where they are None: what was not done.
_OPTIONAL = (
    'fine_tune', 'interpolation', 'augmentation', 'without_test_time_augmentation', 'calibration',
    'val', 'val_argmax', 'budget', 'judged',
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Scores:
    """Accuracy in [0, 1] and mean log loss in nats, over `n` images."""

    accuracy: float
    log_loss: float
    n: int

    def better_than(self, other: Scores) -> bool:
        """Higher accuracy; between equal accuracies, lower log loss."""
        return (self.accuracy, -self.log_loss) > (other.accuracy, -other.log_loss)


@dataclasses.dataclass(frozen=True)
class CalibratedScores(Scores):
    """Scores of some weights on val, and their log loss after temperature scaling."""

    calibrated_log_loss: float


@dataclasses.dataclass(frozen=True)
class ProbeRecord:
    """The head on the frozen base, with scikit-learn's `c`: inverse L2 strength."""

    c: float
    train: Scores
    val: Scores


@dataclasses.dataclass(frozen=True)
class EpochRecord:
    """One finished epoch.

    `train_accuracy` is measured while training, on augmented images, against the heaviest class of
    each target; `blocks` is how many were thawed; `rate` the peak of its learning rate; `side` that
    of its images, in pixels.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    blocks: int
    rate: float
    seconds: float
    side: int = 0


@dataclasses.dataclass(frozen=True)
class FineTuneRecord:
    """The second phase: thawed blocks, planned epochs, scores of the best epoch, all epochs."""

    best_epoch: int
    blocks: int
    epochs: int
    val: Scores
    history: tuple[EpochRecord, ...]


@dataclasses.dataclass(frozen=True)
class Affinity:
    """How much higher the log loss is on augmented images.

    Attributes:
        accuracy: on the augmented images.
        increase: mean over the images, in nats.
        error: its standard error; infinite for one image.
        plain: log loss on the plain images.
    """

    accuracy: float
    increase: float
    error: float
    plain: float


@dataclasses.dataclass(frozen=True)
class AugmentationRecord:
    """The policy of fine-tuning, and the measurements behind it; none where it was configured."""

    policy: str
    measured: Mapping[str, Affinity]


@dataclasses.dataclass(frozen=True)
class Calibration:
    """The effect of temperature scaling on the images that the temperature was fitted on.

    Attributes:
        temperature: T; above 1 the model was overconfident, below 1 underconfident.
        log_loss_before, log_loss_after: mean, in nats.
        error_before, error_after: `calibration.expected_calibration_error`, in [0, 1].
    """

    temperature: float
    log_loss_before: float
    log_loss_after: float
    error_before: float
    error_after: float


@dataclasses.dataclass(frozen=True)
class ThresholdScores:
    """Scores at a threshold, in [0, 1]; 0 where there is nothing to divide by.

    `recall` and `precision` are those of the positive class, `f1` their harmonic mean.
    """

    accuracy: float
    recall: float
    precision: float
    f1: float


@dataclasses.dataclass(frozen=True)
class DecisionRecord:
    """How the answer follows from the logits.

    Attributes:
        aim: as configured.
        temperature: of the logits.
        threshold: of the positive class; 0.5 without one.
        positive: name of the class; None where the most probable class is answered.
        calibration: what the temperature does.
        summary: one line for people.
        val, val_argmax: scores at the threshold and at 0.5; None without a positive class.
    """

    aim: str = 'argmax'
    temperature: float = 1.0
    threshold: float = 0.5
    positive: str | None = None
    calibration: Calibration | None = None
    summary: str = ''
    val: ThresholdScores | None = None
    val_argmax: ThresholdScores | None = None


@dataclasses.dataclass(frozen=True)
class BaseRecord:
    """The pretrained base, the source and the digest of its weights, and the side of images."""

    backbone: str = ''
    weights: str = ''
    weights_digest: str = ''
    image_size: int = 0


@dataclasses.dataclass(frozen=True)
class BudgetRecord:
    """The time limit in seconds, and how many of them were used."""

    seconds: float
    used: float


@dataclasses.dataclass(frozen=True)
class FoldRecord:
    """A turn of cross-fitting: the fold that was judged, and what the next one chose.

    Attributes:
        fold: number of the judged one.
        images: trained, chose, judged: how many did.
        chosen: scores of what was kept, on the images that chose.
        judged: scores of the answers to the images that were judged.
        c: inverse L2 strength of the probe.
        best_epoch: of fine-tuning; 0 without it.
        share: of the fine-tuned weights.
    """

    fold: int
    images: Mapping[str, int]
    chosen: Scores
    judged: Scores
    c: float
    best_epoch: int = 0
    share: float = 0.0


@dataclasses.dataclass(frozen=True)
class ValidationRecord:
    """How the answers came about that the model is judged by.

    Attributes:
        method: 'split': by one training, image by image without the choices that it had a part in;
            'folds': by a training for each fold that never saw it.
        judged: scores of these answers; None in older records.
        folds: of cross-fitting; none with a plain split.
        refitted: on how many images what ships was fitted after it was judged; 0: it was not.
    """

    method: Literal['split', 'folds'] = 'split'
    judged: Scores | None = None
    folds: tuple[FoldRecord, ...] = ()
    refitted: int = 0

    @property
    def outcome(self) -> str:
        """Whose answers judged and how well, for people; '' in older records."""
        if self.judged is None:
            return ''
        how = f'in {len(self.folds)} folds' if self.folds else 'from its own choice'
        return f'held out {how}: {percent(self.judged.accuracy)} of {self.judged.n:,} images'


@dataclasses.dataclass(frozen=True)
class TrainingRecord(Record):
    """A whole training.

    Attributes:
        classes: names, in the order of the labels.
        images: split -> how many.
        soft_labels: how many train images have a label that is not certain.
        probe: the first phase.
        seconds: phase -> how long it took.
        val: scores of what is kept.
        kept: the weights: of the probe, of the best epoch, between both, or their mean over folds.
        share: of the fine-tuned weights in what is kept, from 0 to 1; over folds their mean.
        validation: how the answers came about that the model is judged by.
        budget: of the Trainer; None without one.
        left_out: what did not fit into the budget, for people.
        fine_tune: the second phase; None without one.
        interpolation: share of the fine-tuned weights -> scores; None without fine-tuning.
        augmentation: of fine-tuning; None without it.
        without_test_time_augmentation: `val` without it; None where it is not configured.
        decision: how the answer follows.
        base: of the model.
        tuned: the settings that a Tuner chose, by name; None where they were configured.
        environment: versions of libraries, and the precision of the training step.
    """

    FILE = 'training.json'

    classes: tuple[str, ...]
    images: Mapping[str, int]
    probe: ProbeRecord
    val: Scores
    kept: Kept = 'probe'
    share: float = 0.0
    validation: ValidationRecord = ValidationRecord()
    soft_labels: int = 0
    seconds: Mapping[str, float] = dataclasses.field(default_factory=dict)
    budget: BudgetRecord | None = None
    left_out: tuple[str, ...] = ()
    fine_tune: FineTuneRecord | None = None
    interpolation: Mapping[str, CalibratedScores] | None = None
    augmentation: AugmentationRecord | None = None
    without_test_time_augmentation: Scores | None = None
    decision: DecisionRecord = DecisionRecord()
    base: BaseRecord = BaseRecord()
    tuned: Mapping[str, Any] | None = None
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def to_json(self, indent: int | None = 1) -> str:
        """Without what was not done; the error of an affinity can be infinite."""
        values = dataclasses.asdict(
            self,
            dict_factory=lambda fields: {
                name: v for name, v in fields if v is not None or name not in _OPTIONAL
            },
        )
        return json.dumps(values, ensure_ascii=False, indent=indent)

    @property
    def epochs(self) -> tuple[EpochRecord, ...]:
        """Of the second phase; none without one."""
        return self.fine_tune.history if self.fine_tune else ()

    @property
    def kept_name(self) -> str:
        """`kept`, for people."""
        return self.kept.replace('_', '-')
