"""TFX's Tuner with one more input: the embeddings of the images it trains on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfx.dsl.components.common import resolver
from tfx.dsl.input_resolution.strategies.latest_artifact_strategy import LatestArtifactStrategy
from tfx.proto import trainer_pb2
from tfx.types import BaseChannel, Channel, standard_artifacts

from thawline.components.embedding import weights_driver
from thawline.components.embedding.artifacts import Embeddings
from thawline.components.shared import node_names
from thawline.components.shared.component import Component
from thawline.components.shared.splits import TRAIN, VAL
from thawline.components.training.executor import EMBEDDINGS
from thawline.components.training.params import Training
from thawline.components.tuning import executor
from thawline.components.tuning.params import Tuning

_MODULE = 'thawline.components.tuning.tuner_fn'


class ImageTuner(Component):
    """TFX's Tuner but for its input. Its class cannot be extended: it makes its spec itself.

    Outputs:
        best_hyperparameters: which a Trainer takes.
        tuner_results: with the record of the search.
    """

    NAME = node_names.TUNER
    EXECUTOR = executor.Executor
    DRIVER_CLASS = weights_driver.Driver
    CODE = (_MODULE,)
    INPUTS = {
        'examples': standard_artifacts.Examples,  # transformed
        EMBEDDINGS: Embeddings,
        'transform_graph': standard_artifacts.TransformGraph,  # knows the classes
    }
    OUTPUTS = {
        'best_hyperparameters': standard_artifacts.HyperParameters,
        'tuner_results': standard_artifacts.TunerResults,
    }
    PARAMETERS = {
        'tuner_fn': str,
        'train_args': trainer_pb2.TrainArgs,
        'eval_args': trainer_pb2.EvalArgs,
        'custom_config': dict,
    }

    def __init__(
        self,
        *,
        base: Mapping[str, Any],
        training: Training,
        tuning: Tuning,
        **inputs: BaseChannel,
    ) -> None:
        """Trains on train and compares on val.

        Args:
            base: `model`, `weights_digest`, `image_size` and `resize`.
            training: the recipe that is varied; whether it takes tuned settings has no effect.
            tuning: how long, and how many.
            inputs: by their names.
        """
        super().__init__(
            tuner_fn=f'{_MODULE}.tuner_fn',
            train_args=trainer_pb2.TrainArgs(splits=[TRAIN]),
            eval_args=trainer_pb2.EvalArgs(splits=[VAL]),
            custom_config={
                **base,
                'training': training.model_dump_json(exclude={'tuned'}),
                'tuning': tuning.model_dump_json(),
            },
            **inputs,
        )


def newest_hyperparameters() -> resolver.Resolver:
    """The node that finds what a Tuner of an earlier run chose."""
    return resolver.Resolver(
        strategy_class=LatestArtifactStrategy,
        hyperparameters=Channel(type=standard_artifacts.HyperParameters),
    ).with_id(node_names.TUNED)
