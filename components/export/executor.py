"""The work of the Exporter: a copy of the model with all that travels with it."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

import numpy as np
from tfx.components.util import model_utils
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact
from tfx.utils import path_utils

from thawline.components.evaluation import predictions, serving_cost
from thawline.components.evaluation.predictions import Predictions
from thawline.components.export import abstention, formats, hard_links, model_origin, record, warmup
from thawline.components.export.params import ExportSettings
from thawline.components.saved_model import card
from thawline.components.saved_model.card import AbstainThreshold
from thawline.components.shared import metadata_store, progress, property_names, split_files
from thawline.components.shared.percentages import between, percent
from thawline.components.shared.splits import EVALUATED, TEST, VAL
from thawline.components.training import record as training_record


class Executor(base_executor.BaseExecutor):
    """Exports one model."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Leaves the model where Pusher looks for one, and `exports.json`.

        Args:
            input_dict: `model`, `model_run`, `examples`, `transformed_examples`, `evaluation`,
                `blessing`.
            output_dict: `exported_model` and `exports`.
            exec_properties: `settings`, JSON of ExportSettings; `code_digest` for the cache key
                alone.

        Raises:
            DataError: the predictions or the transformed examples cannot be used.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        progress.start('exporting')
        artifacts_by_name = {
            name: artifact_utils.get_single_instance(artifacts)
            for name, artifacts in input_dict.items()
        }
        settings = ExportSettings.model_validate_json(exec_properties['settings'])
        exported = artifact_utils.get_single_instance(output_dict['exported_model'])
        model = pathlib.Path(path_utils.serving_model_path(exported.uri))
        model.parent.mkdir(parents=True, exist_ok=True)
        hard_links.copy(
            pathlib.Path(path_utils.serving_model_path(artifacts_by_name['model'].uri)), model
        )

        blessed = model_utils.is_model_blessed(artifacts_by_name['blessing'])
        table = predictions.read(artifacts_by_name['evaluation'].uri)
        abstain, note = _abstain(table, settings) if blessed else (None, '')
        described = dataclasses.replace(
            card.read(model),
            abstain=abstain,
            licence=settings.licence,
            lineage=model_origin.lineage(
                model_origin.run_and_data(
                    metadata_store.lent_store(),
                    artifacts_by_name['model'].id,
                    artifacts_by_name['examples'].id,
                ),
                artifacts_by_name['model'].id,
                training_record.read(pathlib.Path(artifacts_by_name['model_run'].uri)).base,
                {split: _hits(table, split) for split in EVALUATED},
                blessed,
            ),
        )
        card.write(described, model)
        warmup.write(model)

        size = serving_cost.size_mb(str(model))
        files = split_files.files(artifacts_by_name['transformed_examples'])
        sources = formats.FormatSources(
            model, described, table, files['train'], files[VAL], settings.exports_tolerance
        )
        exports, latency = formats.make(settings.exports if blessed else (), sources)
        exports_record = record.ExportsRecord(blessed, size, latency, exports, abstain, note)
        record_artifact = artifact_utils.get_single_instance(output_dict['exports'])
        record.write(exports_record, pathlib.Path(record_artifact.uri))
        record_artifact.set_string_custom_property(
            property_names.PLACED, json.dumps(exports_record.placed)
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
    abstain = abstention.calibrate(table.scores[rows], _right(table, rows), accuracy)
    if abstain is None:
        needed = abstention.images_needed(accuracy)
        why = f'no score on {len(rows):,} val images assures an accuracy of {accuracy:g}'
        if needed is not None and len(rows) < needed:
            why += f'; it takes {needed:,} images even if all are answered right'
        return None, why
    test = _rows(table, TEST)
    if not len(test):
        return abstain, ''
    on_test = abstention.accuracy_above(table.scores[test], _right(table, test), abstain.threshold)
    if on_test.share is None:
        return abstain, 'on test no answer reaches it'
    return abstain, (
        f'on test: {percent(on_test.n / len(test))} answered, accuracy {percent(on_test.share)} '
        f'({between(on_test.lower, on_test.upper)})'
    )
