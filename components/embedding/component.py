"""Embedder: transformed images to features of the frozen base."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from thawline.components.augmentation.policies import POLICIES
from thawline.components.backbones.params import Model
from thawline.components.embedding import executor
from thawline.components.embedding.artifacts import Embeddings


class EmbedderSpec(component_spec.ComponentSpec):
    """Contract of the Embedder; the parameters are all that its results depend on."""

    INPUTS = {'examples': component_spec.ChannelParameter(type=standard_artifacts.Examples)}
    OUTPUTS = {'embeddings': component_spec.ChannelParameter(type=Embeddings)}
    PARAMETERS = {
        'model': component_spec.ExecutionParameter(type=str),
        'weights_digest': component_spec.ExecutionParameter(type=str),
        'image_size': component_spec.ExecutionParameter(type=int),
        'augmentation': component_spec.ExecutionParameter(type=str),
        'views': component_spec.ExecutionParameter(type=int),
        'seed': component_spec.ExecutionParameter(type=int),
        'features': component_spec.ExecutionParameter(type=str),
        'code_digest': component_spec.ExecutionParameter(type=str),
    }


class Embedder(base_beam_component.BaseBeamComponent):
    """Runs every image, and augmented views of train, through the frozen base, once.

    Outputs:
        embeddings: `Embeddings`, with the splits of the examples.
    """

    SPEC_CLASS = EmbedderSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        model: Model,
        weights_digest: str,
        image_size: int,
        augmentation: str,
        views: int,
        seed: int,
        features: str,
        code_digest: str,
    ) -> None:
        """What has no effect is brought to one form, so that changing it finds the cached result.

        Args:
            examples: Transform's.
            model: the base.
            weights_digest: of the weights file, if it is one.
            image_size: side of the images, in pixels.
            augmentation: name of the policy of the views.
            views: augmented views of each train image, beside the plain one.
            seed: of the views, and of the base when its weights are random.
            features: 'top' or 'blocks'.
            code_digest: of the code that runs.
        """
        if views == 0 or POLICIES[augmentation].is_identity:
            views, augmentation = 0, 'none'
            seed = seed if model.weights == 'random' else 0
        super().__init__(
            EmbedderSpec(
                examples=examples,
                model=model.model_dump_json(),
                weights_digest=weights_digest,
                image_size=image_size,
                augmentation=augmentation,
                views=views,
                seed=seed,
                features=features,
                code_digest=code_digest,
                embeddings=types.Channel(type=Embeddings),
            )
        )
