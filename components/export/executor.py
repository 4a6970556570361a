"""The work of the Exporter: a copy of the model with all that travels with it."""

from __future__ import annotations

import dataclasses
import json
import pathlib

import numpy as np
from tfx.components.util import model_utils
from tfx.utils import path_utils

from thawline.components.evaluation import predictions, serving_cost
from thawline.components.evaluation.predictions import Predictions
from thawline.components.export import abstention, formats, hard_links, model_origin, warmup
from thawline.components.export.params import ExportSettings
from thawline.components.export.record import ExportsRecord
from thawline.components.saved_model import card
from thawline.components.saved_model.card import AbstainThreshold
from thawline.components.shared import (
    judged_files,
    metadata_store,
    node_names,
    progress,
    property_names,
    split_files,
)
from thawline.components.shared.executor import Artifacts, NodeExecutor, Properties
from thawline.components.shared.percentages import between, percent
from thawline.components.shared.splits import EVALUATED, TEST, VAL
from thawline.components.training.record import TrainingRecord


class Executor(NodeExecutor):
    """Exports one model."""

    def run(self, inputs: Artifacts, outputs: Artifacts, properties: Properties) -> None:
        """Leaves the model where Pusher looks for one, and `exports.json`.

        Raises:
            ConfigError: the model has changed since it was evaluated.
            DataError: the predictions or the transformed examples cannot be used.
        """
        progress.start('exporting')
        settings = ExportSettings.model_validate_json(properties['settings'])
        model = pathlib.Path(path_utils.serving_model_path(outputs['exported_model'].uri))
        model.parent.mkdir(parents=True, exist_ok=True)
        trained = pathlib.Path(path_utils.serving_model_path(inputs['model'].uri))
        what = f'the model that the {node_names.EVALUATOR} judged'
        judged_files.check(trained, inputs['evaluation'], what, node_names.TRAINER)
        hard_links.copy(trained, model)

        blessed = model_utils.is_model_blessed(inputs['blessing'])
        table = predictions.read(inputs['evaluation'].uri)
        abstain, note = _abstain(table, settings) if blessed else (None, '')
        described = dataclasses.replace(
            card.read(model),
            abstain=abstain,
            licence=settings.licence,
            lineage=model_origin.lineage(
                model_origin.run_and_data(
                    metadata_store.lent_store(),
                    inputs['model'].id,
                    inputs['examples'].id,
                ),
                inputs['model'].id,
                TrainingRecord.read(inputs['model_run'].uri).base,
                {split: _hits(table, split) for split in EVALUATED},
                blessed,
            ),
        )
        card.write(described, model)
        warmup.write(model)

        size = serving_cost.size_mb(str(model))
        files = split_files.files(inputs['transformed_examples'])
        sources = formats.FormatSources(
            model, described, table, files['train'], files[VAL], settings.exports_tolerance
        )
        exports, latency = formats.make(settings.exports if blessed else (), sources)
        record = ExportsRecord(blessed, size, latency, exports, abstain, note)
        record.write(outputs['exports'].uri)
        judged_files.record(model, outputs['exports'])
        outputs['exports'].set_string_custom_property(
            property_names.PLACED, json.dumps(record.placed)
        )


def _rows(table: Predictions, split: str) -> np.ndarray:
    """Labelled images of a split."""
    rows: np.ndarray = np.flatnonzero(table.labelled & (table.splits == split))
    return rows


def _right(table: Predictions, rows: np.ndarray) -> np.ndarray:
    right: np.ndarray = (table.answers == table.labels)[rows]
    return right


def _hits(table: Predictions, split: str) -> tuple[int, int]:
    rows = _rows(table, split)
    return int(_right(table, rows).sum()), len(rows)


def _abstain(table: Predictions, settings: ExportSettings) -> tuple[AbstainThreshold | None, str]:
    """The threshold, and a remark on it."""
    if settings.abstain is None:
        return None, ''
    rows, accuracy = _rows(table, VAL), settings.abstain.accuracy
    abstain = abstention.calibrate(
        table.scores[rows], _right(table, rows), accuracy, table.clusters[rows]
    )
    if abstain is None:
        needed = abstention.images_needed(accuracy)
        why = f'no score on {len(rows):,} val images assures an accuracy of {accuracy:g}'
        if needed is not None and len(rows) < needed:
            why += f'; it takes {needed:,} images even if all are answered right'
        return None, why
    test = _rows(table, TEST)
    if not len(test):
        return abstain, ''
    on_test = abstention.accuracy_above(
        table.scores[test], _right(table, test), abstain.threshold, table.clusters[test]
    )
    if on_test.share is None:
        return abstain, 'on test no answer reaches it'
    return abstain, (
        f'on test: {percent(on_test.n / len(test))} answered, accuracy {percent(on_test.share)} '
        f'({between(on_test.lower, on_test.upper)})'
    )
