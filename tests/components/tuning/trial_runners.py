"""A runner with the tiny base, whose trainings take a second."""

from __future__ import annotations

import pathlib

import numpy as np

from tests.components.training import tiny
from thawline.components.backbones import backbone as backbone_lib
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import params
from thawline.components.tuning.trial_runner import TrialRunner

NAMES = ('cat', 'dog')


def settings(**changes: object) -> params.Training:
    """Quick settings of the recipe; `changes` are of `training`."""
    tune = params.FineTune(blocks=1, epochs=4, learning_rate=3e-4)
    return params.Training.model_validate(
        {'batch_size': 8, 'augmentation': 'flip', 'fine_tune': tune, **changes}
    )


def runner(
    folder: pathlib.Path, base: backbone_lib.Backbone | None = None, n: int = 24
) -> TrialRunner:
    """The tiny base with n train and 20 val images."""
    base = base or tiny.backbone()
    train, val = tiny.images(n), tiny.images(20, seed=1)
    embedded = tiny.embedded(base, train, val, 'none')
    return TrialRunner(base, NAMES, embedded, lambda: (train, val), folder / 'state')


def unknown(data: LabelledSet) -> LabelledSet:
    """The same with two images of a class that training never saw."""
    more = tiny.images(2, seed=7)
    return LabelledSet(
        np.concatenate([data.values, more.values]),
        np.concatenate([data.labels, [-1, -1]]),
        np.array([*data.ids, b'x', b'y'], object),
    )
