"""Embedder: transformed images to features of the frozen base."""

from __future__ import annotations

from typing import Any

from tfx.types import standard_artifacts

from thawline.components.augmentation.policies import POLICIES
from thawline.components.backbones.params import PretrainedBase
from thawline.components.embedding import executor, weights_driver
from thawline.components.embedding.artifacts import Embeddings
from thawline.components.shared.component import Component


class Embedder(Component):
    """Runs every image, and augmented views of train, through the frozen base, once.

    The parameters are all that its results depend on.
    """

    EXECUTOR = executor.Executor
    DRIVER_CLASS = weights_driver.Driver
    INPUTS = {'examples': standard_artifacts.Examples}  # transformed
    OUTPUTS = {'embeddings': Embeddings}  # with the splits of the examples
    PARAMETERS = {
        'model': PretrainedBase,
        'weights_digest': str,  # of a configured file; the driver replaces it, whatever they are
        'image_size': int,
        'resize': str,  # of the examples, recorded with the features
        'augmentation': str,  # name of the policy of the views
        'views': int,  # of each train image, beside the plain one
        'seed': int,  # of the views, and of the base when its weights are random
        'features': str,  # 'top' or 'blocks'
    }

    def __init__(
        self, *, model: PretrainedBase, augmentation: str, views: int, seed: int, **values: Any
    ) -> None:
        """Brings what has no effect to one form, so that changing it finds the cached result."""
        if views == 0 or POLICIES[augmentation].is_identity:
            views, augmentation = 0, 'none'
            seed = seed if model.weights == 'random' else 0
        super().__init__(model=model, augmentation=augmentation, views=views, seed=seed, **values)
