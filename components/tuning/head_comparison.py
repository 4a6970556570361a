"""First phase: heads on the cached features, which take seconds and decode no image."""

from __future__ import annotations

import dataclasses
from typing import Literal

from thawline.components.backbones.features import Features, feature_slices
from thawline.components.shared import progress
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import params, recipe
from thawline.components.tuning import settings_choice
from thawline.components.tuning.record import HeadRecord
from thawline.components.tuning.trial_runner import TrialResult, TrialRunner

ClassWeights = Literal['none', 'balanced']


@dataclasses.dataclass(frozen=True)
class HeadTrial:
    """One head and its result."""

    features: Features
    class_weights: ClassWeights
    result: TrialResult

    def record(self) -> HeadRecord:
        """Without the answer to each image."""
        result = self.result
        return HeadRecord(
            self.features,
            self.class_weights,
            result.measured.accuracy,
            result.measured.log_loss,
            result.recall,
            result.seconds,
        )


@dataclasses.dataclass(frozen=True)
class HeadComparison:
    """The heads, with the current settings first, and the conclusions.

    Attributes:
        heads: all of them.
        features: of the best; the Embedder's setting, which no hyperparameter can change.
        class_weights: for the trainings of the second phase.
        why: the reasons, a clause each, for people.
    """

    heads: tuple[HeadTrial, ...]
    features: Features
    class_weights: ClassWeights
    why: tuple[str, ...]


def compare(runner: TrialRunner, settings: params.Training) -> HeadComparison:
    """Fits a head for each choice of features and of class weights, one choice changed at a time.

    `class_weights: balanced` makes all classes count the same, which accuracy does not measure; so
    it may be proposed, but is never taken back.

    Raises:
        ConfigError, DataError: as `recipe.train`.
    """
    progress.start('heads on cached features')
    kind: Features = runner.features.kind
    quick = settings.model_copy(update={'mode': 'probe'})
    current = HeadTrial(kind, settings.class_weights, runner.train(quick))
    heads, why = [current], []

    balanced = settings.class_weights == 'balanced'
    other: ClassWeights = 'none' if balanced else 'balanced'
    weighted = HeadTrial(
        kind, other, runner.train(quick.model_copy(update={'class_weights': other}))
    )
    heads.append(weighted)
    top = None
    if kind == 'blocks':
        top = HeadTrial('top', settings.class_weights, runner.train(quick, _top_features(runner)))
        heads.append(top)

    level = settings_choice.LEVEL / (len(heads) - 1)
    weights, features = settings.class_weights, kind
    gained = settings_choice.gain(weighted.result.measured, current.result.measured, level)
    if balanced:
        why.append(
            'class_weights: balanced is kept; none would change accuracy by '
            f'{100 * gained.accuracy:+.1f} points'
        )
    elif gained.beyond_noise:
        weights = other
        why.append('class_weights: balanced is better beyond noise, so the trainings below use it')
    else:
        why.append('class_weights: balanced is not better beyond noise')
    if top is None:
        why.append(
            'features: only top were embedded; to compare them with those of earlier blocks, set '
            'embedding.features: blocks and tune again'
        )
    elif settings_choice.gain(top.result.measured, current.result.measured, level).beyond_noise:
        features = 'top'
        why.append('features: top is better beyond noise than blocks')
    else:
        gained = settings_choice.gain(current.result.measured, top.result.measured)
        why.append(
            'features: blocks is kept; top would change accuracy by '
            f'{-100 * gained.accuracy:+.1f} points'
        )
    return HeadComparison(tuple(heads), features, weights, tuple(why))


def _top_features(runner: TrialRunner) -> recipe.FeatureSets:
    """The columns of the last feature map only."""
    name, columns = feature_slices(runner.backbone, 'blocks')[-1]
    assert name == 'top'

    def select(data: LabelledSet) -> LabelledSet:
        return dataclasses.replace(data, values=data.values[..., columns])

    return recipe.FeatureSets('top', select(runner.features.train), select(runner.features.val))
