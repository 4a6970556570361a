"""Runs TFMA over the predictions of the evaluation.

TFMA's own extractors would decode every image and load every model a second time, to learn what the
table of predictions holds already, and slice image by image. Its metrics, thresholds and writers
are what is used here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import numpy as np

# tfma is not whole until tfx has been imported, which `tfma_config` does.
from thawline.components.evaluation import predictions, tfma_config, tfma_metrics

import tensorflow_model_analysis as tfma  # isort: skip
from tensorflow_model_analysis.writers import eval_config_writer  # isort: skip

_PIECE = 4096  # images of a slice that are handed over together


def evaluate(root: beam.Pipeline, config: tfma.EvalConfig, model: str, uri: str) -> None:
    """Adds the pipeline; `tfma.load_eval_result` reads its results.

    Args:
        config: what to evaluate, see `tfma_config.build`.
        model: its folder.
        uri: of the evaluation, where the predictions are and the results go.
    """
    writers = tfma.default_writers(uri, eval_config=config)
    locations = {tfma_config.MODEL: model}
    writers[0] = eval_config_writer.EvalConfigWriter(uri, config, model_locations=locations)
    (
        root
        # The columns alone: Beam packs what is created into the pipeline itself, with bzip2.
        | 'Columns' >> beam.Create([tuple(spec.feature_keys) for spec in config.slicing_specs])
        | 'Slices' >> beam.ParDo(_Slices(uri))
        | tfma.ExtractAndEvaluate(
            extractors=[],
            evaluators=[tfma.evaluators.MetricsPlotsAndValidationsEvaluator(config, run_after='')],
        )
        | tfma.WriteResults(writers)
    )


class _Slices(beam.DoFn):
    """Columns -> extracts of the labelled images, slice by slice."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def setup(self) -> None:
        self._predictions = predictions.read(self._uri)

    def process(self, columns: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        table = self._predictions
        names = np.array([*table.classes, None], object)  # at -1, for unknown classes
        values = {
            **table.columns,
            'split': table.splits.astype(object),
            'label': names[table.labels],
        }
        keys = sorted(columns)  # the order in which TFMA looks slices up
        groups: dict[tfma_metrics.SliceKey, list[int]] = {}
        for row in np.flatnonzero(table.labelled).tolist():
            groups.setdefault(tuple((key, values[key][row]) for key in keys), []).append(row)
        for slice_key, rows in groups.items():
            if any(value is None for _, value in slice_key):
                continue  # an image without a value is in none of the column's slices
            for start in range(0, len(rows), _PIECE):
                piece = rows[start : start + _PIECE]
                yield tfma_metrics.extracts(
                    slice_key,
                    table.labels[piece],
                    table.answers[piece],
                    table.probabilities[piece],
                    table.clusters[piece],
                )
