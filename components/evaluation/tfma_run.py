"""Runs TFMA over predictions that have been made, and reads its decision.

TFMA's own extractors would decode every image and load every model a second time, to learn what the
table of predictions holds already, and slice image by image. Its metrics, thresholds and writers
are what is used here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
import numpy as np

# tfma is not whole until tfx has been imported, which `eval_config` does.
from thawline.components.evaluation import predictions, tfma_config, tfma_metrics
from thawline.components.evaluation.predictions import Predictions

import tensorflow_model_analysis as tfma  # isort: skip
from tensorflow_model_analysis.writers import eval_config_writer  # isort: skip

_PIECE = 4096  # images of a slice that are handed over together


def evaluate(
    root: beam.Pipeline,
    config: tfma.EvalConfig,
    named: Sequence[str],
    models: Mapping[str, str],
    uri: str,
) -> None:
    """Adds the pipeline; `tfma.load_eval_result` reads what it leaves behind.

    Args:
        config: what to evaluate, see `eval_config.build`.
        named: columns that rules name.
        models: folder of each model, by its name in the configuration.
        uri: of the evaluation, where the predictions are and the results go.
    """
    writers = tfma.default_writers(uri, eval_config=config)
    writers[0] = eval_config_writer.EvalConfigWriter(uri, config, model_locations=dict(models))
    (
        root
        # The columns alone: Beam packs what is created into the pipeline itself, with bzip2.
        | 'Columns' >> beam.Create([tuple(spec.feature_keys) for spec in config.slicing_specs])
        | 'Slices' >> beam.ParDo(_Slices(uri, named))
        | tfma.ExtractAndEvaluate(
            extractors=[],
            evaluators=[tfma.evaluators.MetricsPlotsAndValidationsEvaluator(config, run_after='')],
        )
        | tfma.WriteResults(writers)
    )


class _Slices(beam.DoFn):
    """Columns -> extracts of the labelled images, slice by slice."""

    def __init__(self, uri: str, named: Sequence[str]) -> None:
        self._uri, self._named = uri, named

    def setup(self) -> None:
        self._found = predictions.read(self._uri)

    def process(self, columns: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        found = self._found
        names = np.array([*found.classes, None], object)  # at -1, for unknown classes
        values = {
            **found.columns,
            'split': found.splits.astype(object),
            'label': names[found.labels],
        }
        keys = sorted(columns)  # the order in which TFMA looks slices up
        groups: dict[tfma_metrics.Key, list[int]] = {}
        for row in np.flatnonzero(found.labelled).tolist():
            groups.setdefault(tuple((key, values[key][row]) for key in keys), []).append(row)
        for slice_key, rows in groups.items():
            if any(value is None for _, value in slice_key):
                continue  # an image without a value is in none of the column's slices
            for start in range(0, len(rows), _PIECE):
                yield _extracts(found, self._named, slice_key, rows[start : start + _PIECE])


def _extracts(
    found: Predictions, named: Sequence[str], key: tfma_metrics.Key, rows: list[int]
) -> dict[str, Any]:
    outputs = {tfma_config.LONE: (found.answers[rows], found.probabilities[rows])}
    if found.baseline_answers is not None and found.baseline_probabilities is not None:
        outputs = {
            tfma_config.CANDIDATE: outputs[tfma_config.LONE],
            tfma_config.BASELINE: (
                found.baseline_answers[rows],
                found.baseline_probabilities[rows],
            ),
        }
    columns = {'split': found.splits, **{name: found.columns[name] for name in named}}
    features = {} if key else {name: values[rows] for name, values in columns.items()}
    return tfma_metrics.extracts(key, found.labels[rows], features, outputs)
