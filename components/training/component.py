"""TFX's Trainer with more inputs: the embeddings of the images it trains on, and their folds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfx.proto import trainer_pb2
from tfx.types import BaseChannel, standard_artifacts

from thawline.components.embedding import weights_driver
from thawline.components.embedding.artifacts import Embeddings
from thawline.components.shared import node_names
from thawline.components.shared.component import Component
from thawline.components.shared.splits import TRAIN, VAL
from thawline.components.training import executor
from thawline.components.training.params import Training

_MODULE = 'thawline.components.training.run_fn'


class ImageTrainer(Component):
    """TFX's Trainer but for its input. Its class cannot be extended: it makes its spec itself.

    Outputs:
        model: the classifier as a SavedModel, with the transform graph in it.
        model_run: the record and the logs of the training.
    """

    NAME = node_names.TRAINER
    EXECUTOR = executor.Executor
    DRIVER_CLASS = weights_driver.Driver
    CODE = (_MODULE,)
    INPUTS = {
        'examples': standard_artifacts.Examples,  # transformed
        'transform_graph': standard_artifacts.TransformGraph,
        'schema': standard_artifacts.Schema,  # of the images before Transform
    }
    OPTIONAL_INPUTS = {
        executor.EMBEDDINGS: Embeddings,
        executor.INGESTED: standard_artifacts.Examples,  # say which images are alike, and the folds
        'hyperparameters': standard_artifacts.HyperParameters,  # a Tuner's result
    }
    OUTPUTS = {'model': standard_artifacts.Model, 'model_run': standard_artifacts.ModelRun}
    PARAMETERS = {
        'run_fn': str,
        'train_args': trainer_pb2.TrainArgs,
        'eval_args': trainer_pb2.EvalArgs,
        'custom_config': dict,
    }

    def __init__(
        self,
        *,
        base: Mapping[str, Any],
        training: Training,
        checkpoints: str,
        **inputs: BaseChannel | None,
    ) -> None:
        """Trains on train and validates on val.

        Args:
            base: `model`, `weights_digest`, `image_size` and `resize`.
            training: the recipe.
            checkpoints: a folder that outlives a failed execution.
            inputs: by their names.
        """
        super().__init__(
            run_fn=f'{_MODULE}.run_fn',
            train_args=trainer_pb2.TrainArgs(splits=[TRAIN]),
            eval_args=trainer_pb2.EvalArgs(splits=[VAL]),
            custom_config={
                **base,
                'training': training.model_dump_json(),
                'checkpoints': checkpoints,
            },
            **inputs,
        )
