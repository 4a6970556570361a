"""Reads what an evaluation wrote."""

from __future__ import annotations

import tensorflow_model_analysis as tfma

from thawline.components.evaluation import tfma_config, tfma_metrics
from thawline.components.statistics.proportions import Interval


def interval(uri: str, split: str, model: str = tfma_config.CANDIDATE) -> Interval | None:
    """Accuracy of `model` on a split with its interval, or None where the split has no image."""
    # TFMA names the models only where there are two; a lone candidate has the empty name.
    found = [tfma.load_eval_result(uri, model_name=name) for name in (model, '')]
    for key, sections in (pair for result in found for pair in result.slicing_metrics):
        if key != (('split', split),):
            continue
        values = {
            name: value['doubleValue']
            for name, value in sections[''][''].items()
            if 'doubleValue' in value
        }
        return Interval(
            values[tfma_metrics.ACCURACY],
            values[tfma_metrics.LOWER],
            values[tfma_metrics.UPPER],
            int(values[tfma_metrics.IMAGES]),
        )
    return None
