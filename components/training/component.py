"""TFX's Trainer with one more input: the embeddings of the images it trains on."""

from __future__ import annotations

from typing import Any

from tfx import types
from tfx.components.trainer import executor as tfx_trainer
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.dsl.components.base import base_component, executor_spec
from tfx.proto import trainer_pb2
from tfx.types import (
    artifact_utils,
    component_spec,
    standard_artifacts,
    standard_component_specs,
)
from tfx.types.artifact import Artifact
from tfx.utils import json_utils

from thawline.components.embedding.artifacts import Embeddings

EMBEDDINGS = 'embeddings'


class ImageTrainerSpec(standard_component_specs.TrainerSpec):
    """Contract of TFX's Trainer, and the embeddings."""

    INPUTS = {
        **standard_component_specs.TrainerSpec.INPUTS,
        EMBEDDINGS: component_spec.ChannelParameter(type=Embeddings, optional=True),
    }


class Executor(tfx_trainer.GenericExecutor):
    """TFX's executor; the place of the embeddings travels in `custom_config['embeddings']`."""

    def _GetFnArgs(  # noqa: N802 - the name is TFX's
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> FnArgs:
        fn_args = super()._GetFnArgs(input_dict, output_dict, exec_properties)
        if input_dict.get(EMBEDDINGS):
            uri = artifact_utils.get_single_uri(input_dict[EMBEDDINGS])
            fn_args.custom_config = {**(fn_args.custom_config or {}), EMBEDDINGS: uri}
        return fn_args


class ImageTrainer(base_component.BaseComponent):
    """TFX's Trainer but for its input. Its class cannot be extended: it makes its spec itself.

    Outputs:
        model: `standard_artifacts.Model`.
        model_run: `standard_artifacts.ModelRun`, the record and the logs of the training.
    """

    SPEC_CLASS = ImageTrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        run_fn: str,
        examples: types.BaseChannel,
        transform_graph: types.BaseChannel,
        schema: types.BaseChannel,
        train_args: trainer_pb2.TrainArgs,
        eval_args: trainer_pb2.EvalArgs,
        custom_config: dict[str, Any],
        embeddings: types.BaseChannel | None = None,
        hyperparameters: types.BaseChannel | None = None,
    ) -> None:
        """The arguments of TFX's Trainer, and the Embedder's output.

        Args:
            run_fn: the function that trains, as 'package.module.function'.
            examples: transformed.
            transform_graph: becomes part of the exported model.
            schema: of the images before Transform.
            train_args, eval_args: which splits are trained on and validated with.
            custom_config: JSON values for `run_fn`; part of the cache key.
            embeddings: of the same examples.
            hyperparameters: a Tuner's result.
        """
        optional = {EMBEDDINGS: embeddings, 'hyperparameters': hyperparameters}
        super().__init__(
            ImageTrainerSpec(
                run_fn=run_fn,
                examples=examples,
                transform_graph=transform_graph,
                schema=schema,
                train_args=train_args,
                eval_args=eval_args,
                custom_config=json_utils.dumps(custom_config),
                model=types.Channel(type=standard_artifacts.Model),
                model_run=types.Channel(type=standard_artifacts.ModelRun),
                **{name: channel for name, channel in optional.items() if channel is not None},
            )
        )
