"""First phase: heads on the cached features, which cost seconds and decode no image."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from thawline.components.backbones.features import Features, feature_slices
from thawline.components.shared import progress
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import params, recipe
from thawline.components.tuning import settings_choice
from thawline.components.tuning.trial_runner import TrialResult, TrialRunner

ClassWeights = Literal['none', 'balanced']


@dataclasses.dataclass(frozen=True)
class HeadTrial:
    """One head, and what it reached."""

    features: Features
    class_weights: ClassWeights
    tried: TrialResult

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            'features': self.features,
            'class_weights': self.class_weights,
            'accuracy': self.tried.measured.accuracy,
            'log_loss': self.tried.measured.log_loss,
            'recall': self.tried.recall,
            'seconds': self.tried.seconds,
        }


@dataclasses.dataclass(frozen=True)
class HeadComparison:
    """All of them, the present one first, and what follows.

    Attributes:
        found: the heads.
        features: of the best; the Embedder's setting, which no hyperparameter can change.
        class_weights: for the trainings of the second phase.
        why: what was found, a sentence each, for people.
    """

    found: tuple[HeadTrial, ...]
    features: Features
    class_weights: ClassWeights
    why: tuple[str, ...]


def compare(bench: TrialRunner, settings: params.Training) -> HeadComparison:
    """Fits a head for each choice of columns and of class weights, one choice changed at a time.

    `class_weights: balanced` says that all classes matter the same, which accuracy does not
    measure; it is therefore only ever proposed, and never taken away.

    Raises:
        ConfigError, DataError: as `recipe.train`.
    """
    progress.start('heads on cached features')
    kind: Features = bench.embedded.kind
    quick = settings.model_copy(update={'mode': 'probe'})
    present = HeadTrial(kind, settings.class_weights, bench.train(quick))
    found, why = [present], []

    balanced = settings.class_weights == 'balanced'
    other: ClassWeights = 'none' if balanced else 'balanced'
    weighted = HeadTrial(
        kind, other, bench.train(quick.model_copy(update={'class_weights': other}))
    )
    found.append(weighted)
    top = None
    if kind == 'blocks':
        top = HeadTrial('top', settings.class_weights, bench.train(quick, _top(bench)))
        found.append(top)

    level = settings_choice.LEVEL / (len(found) - 1)
    weights, features = settings.class_weights, kind
    gained = settings_choice.gain(weighted.tried.measured, present.tried.measured, level)
    if balanced:
        why.append(
            f'class_weights: balanced stays; none changes accuracy by '
            f'{100 * gained.accuracy:+.1f} points'
        )
    elif gained.beyond_noise:
        weights = other
        why.append('class_weights: balanced is better beyond noise, and is used in what follows')
    else:
        why.append('class_weights: balanced is not better beyond noise')
    if top is None:
        why.append(
            'features: top are all that was embedded; to compare them with those of earlier '
            'blocks, set embedding.features: blocks and tune again'
        )
    elif settings_choice.gain(top.tried.measured, present.tried.measured, level).beyond_noise:
        features = 'top'
        why.append('features: top is better beyond noise than blocks')
    else:
        saved = settings_choice.gain(present.tried.measured, top.tried.measured)
        why.append(
            f'features: blocks stays; top changes accuracy by {-100 * saved.accuracy:+.1f} points'
        )
    return HeadComparison(tuple(found), features, weights, tuple(why))


def _top(bench: TrialRunner) -> recipe.FeatureSets:
    """The columns of the last feature map alone."""
    name, columns = feature_slices(bench.backbone, 'blocks')[-1]
    assert name == 'top'

    def cut(data: LabelledSet) -> LabelledSet:
        return dataclasses.replace(data, values=data.values[..., columns])

    return recipe.FeatureSets('top', cut(bench.embedded.train), cut(bench.embedded.val))
