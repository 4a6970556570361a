"""Runs TFX's evaluation, then writes its headline numbers where `thawline runs` can read them."""

from __future__ import annotations

from typing import Any

from tfx import types
from tfx.components.evaluator import executor as tfx_evaluator
from tfx.types import artifact_utils

from components import progress
from components.evaluation import eval_config, results


class Executor(tfx_evaluator.Executor):
    """TFX's executor, plus the custom properties of the `evaluation` artifact."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """As TFX's; sets `<split>_accuracy`, `_lower`, `_upper` and `_images` for val and test."""
        progress.start('evaluating')
        super().Do(input_dict, output_dict, exec_properties)
        evaluation = artifact_utils.get_single_instance(output_dict['evaluation'])
        for split in eval_config.EVALUATED_SPLITS:
            interval = results.interval(evaluation.uri, split)
            if interval is None:
                continue
            evaluation.set_float_custom_property(f'{split}_accuracy', interval.share)
            evaluation.set_float_custom_property(f'{split}_lower', interval.lower)
            evaluation.set_float_custom_property(f'{split}_upper', interval.upper)
            evaluation.set_int_custom_property(f'{split}_images', interval.n)
