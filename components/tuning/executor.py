"""TFX's executor of Tuner, with the record of the search beside its results."""

from __future__ import annotations

import pathlib
from typing import Any

from tfx.components.tuner import executor
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact
from tfx.utils import json_utils

from thawline.components.shared.property_names import CUSTOM_CONFIG
from thawline.components.training.executor import with_inputs
from thawline.components.tuning.search import RecipeTuner


class Executor(executor.Executor):
    """Calls `tuner_fn`."""

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
            exec_properties: `tuner_fn`, `train_args`, `eval_args`, `custom_config`, and what is for
                the cache key alone.
        """
        config = json_utils.loads(exec_properties[CUSTOM_CONFIG])
        config = with_inputs(config, input_dict, exec_properties)
        properties = {**exec_properties, CUSTOM_CONFIG: json_utils.dumps(config)}
        tuner = executor.search(
            input_dict, properties, self._get_tmp_dir(), print_tuning_summary=False
        )
        assert isinstance(tuner, RecipeTuner)
        executor.write_best_hyperparameters(tuner, output_dict)
        results = pathlib.Path(artifact_utils.get_single_uri(output_dict['tuner_results']))
        tuner.record().write(results)
