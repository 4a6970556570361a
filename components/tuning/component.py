"""TFX's Tuner with one more input: the embeddings of the images it trains on."""

from __future__ import annotations

import json
import pathlib
from typing import Any

from tfx import types
from tfx.components.tuner import executor as tfx_tuner
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
from thawline.components.training.component import EMBEDDINGS
from thawline.components.tuning import record
from thawline.components.tuning.search import RecipeTuner


class ImageTunerSpec(standard_component_specs.TunerSpec):
    """Contract of TFX's Tuner, and the embeddings."""

    INPUTS = {
        **standard_component_specs.TunerSpec.INPUTS,
        EMBEDDINGS: component_spec.ChannelParameter(type=Embeddings),
    }


class Executor(tfx_tuner.Executor):
    """TFX's executor; the place of the embeddings travels in `custom_config['embeddings']`."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Searches, and writes the best settings, KerasTuner's results and the record of it.

        Args:
            input_dict: `examples` (transformed), `transform_graph`, `embeddings`.
            output_dict: `best_hyperparameters`, `tuner_results`.
            exec_properties: `tuner_fn`, `train_args`, `eval_args`, `custom_config`.
        """
        uri = artifact_utils.get_single_uri(input_dict[EMBEDDINGS])
        config = json_utils.loads(exec_properties['custom_config'])
        properties = {
            **exec_properties,
            'custom_config': json_utils.dumps({**config, EMBEDDINGS: uri}),
        }
        tuner = tfx_tuner.search(
            input_dict, properties, self._get_tmp_dir(), print_tuning_summary=False
        )
        assert isinstance(tuner, RecipeTuner)
        tfx_tuner.write_best_hyperparameters(tuner, output_dict)
        results = pathlib.Path(artifact_utils.get_single_uri(output_dict['tuner_results']))
        (results / record.FILE).write_text(json.dumps(record.of(tuner), indent=1), 'utf-8')


class ImageTuner(base_component.BaseComponent):
    """TFX's Tuner but for its input. Its class cannot be extended: it makes its spec itself.

    Outputs:
        best_hyperparameters: `standard_artifacts.HyperParameters`, which a Trainer takes.
        tuner_results: `standard_artifacts.TunerResults`, with the record of the search.
    """

    SPEC_CLASS = ImageTunerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        tuner_fn: str,
        examples: types.BaseChannel,
        embeddings: types.BaseChannel,
        transform_graph: types.BaseChannel,
        train_args: trainer_pb2.TrainArgs,
        eval_args: trainer_pb2.EvalArgs,
        custom_config: dict[str, Any],
    ) -> None:
        """The arguments of TFX's Tuner, and the Embedder's output.

        Args:
            tuner_fn: the function that makes the search, as 'package.module.function'.
            examples: transformed.
            embeddings: of the same examples.
            transform_graph: knows the classes.
            train_args, eval_args: which splits are trained on and validated with.
            custom_config: JSON values for `tuner_fn`; part of the cache key.
        """
        super().__init__(
            ImageTunerSpec(
                tuner_fn=tuner_fn,
                examples=examples,
                embeddings=embeddings,
                transform_graph=transform_graph,
                train_args=train_args,
                eval_args=eval_args,
                custom_config=json_utils.dumps(custom_config),
                best_hyperparameters=types.Channel(type=standard_artifacts.HyperParameters),
                tuner_results=types.Channel(type=standard_artifacts.TunerResults),
            )
        )
