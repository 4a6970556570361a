"""A model that was really evaluated, and the Exporter run on it."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
from typing import Any

from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact

from tests import made_records
from tests.components import transformed as making
from tests.components.evaluation import evaluating
from tests.components.transformed import CLASSES, Transformed
from thawline.components.evaluation.gate.params import Gate
from thawline.components.export import executor
from thawline.components.export.params import ExportSettings
from thawline.components.export.record import ExportsRecord
from thawline.components.saved_model.decision_rule import Rule
from thawline.components.shared.artifacts import Exports as ExportsArtifact
from thawline.components.training.record import BaseRecord

BASE = BaseRecord('tiny', 'random', 'abc', 32)


def artifact(kind: type[Artifact], folder: pathlib.Path, number: int = 1) -> Artifact:
    made = kind()
    made.uri, made.id = str(folder), number
    return made


@dataclasses.dataclass(frozen=True)
class Judged:
    """What the nodes before the Exporter leave behind; `blessing` as the gate gave it."""

    model: Artifact
    model_run: Artifact
    examples: Artifact
    transformed_examples: Artifact
    evaluation: Artifact
    blessing: Artifact

    @property
    def inputs(self) -> dict[str, list[Artifact]]:
        return {f.name: [getattr(self, f.name)] for f in dataclasses.fields(self)}


def judged(folder: pathlib.Path, transformed: Transformed, gate: Gate | None = None) -> Judged:
    """Evaluates a model with a random head, by default so that it is blessed."""
    rows = making.rows(2, seed=1)  # those of the transformed split `eval`
    splits = {split: [evaluating.example(row, split) for row in rows] for split in ('val', 'test')}
    model = evaluating.exported(folder / 'model', transformed, CLASSES, Rule(temperature=1.4))
    gate = gate or Gate(val_accuracy=0.0, strictness='point')
    found = evaluating.evaluate(folder, splits, model, gate=gate)
    pixels = folder / 'transformed'
    for split, theirs in (('train', 'train'), ('val', 'eval')):
        shutil.copytree(transformed.examples[theirs], pixels / f'Split-{split}')
    of_pixels = artifact(standard_artifacts.Examples, pixels, 5)
    of_pixels.split_names = '["train", "val"]'
    examples = artifact(standard_artifacts.Examples, folder / 'examples', 1)
    examples.split_names = '["test", "val"]'
    (folder / 'model_run').mkdir()
    made_records.training(base=BASE).write(folder / 'model_run')
    return Judged(
        artifact(standard_artifacts.Model, model, evaluating.MODEL_ID),
        artifact(standard_artifacts.ModelRun, folder / 'model_run', 6),
        examples,
        of_pixels,
        found.evaluation,
        found.blessing,
    )


@dataclasses.dataclass(frozen=True)
class Exported:
    """What the Exporter leaves behind."""

    artifact: Artifact
    exports: Artifact

    @property
    def model(self) -> pathlib.Path:
        return pathlib.Path(self.artifact.uri, 'Format-Serving')

    @property
    def record(self) -> ExportsRecord:
        return ExportsRecord.read(self.exports.uri)


def export(folder: pathlib.Path, given: Judged, **settings: Any) -> Exported:
    """Runs the executor as TFX does."""
    outputs = {
        'exported_model': [artifact(standard_artifacts.Model, folder / 'exported', 20)],
        'exports': [artifact(ExportsArtifact, folder / 'exports', 21)],
    }
    properties = {
        'settings': ExportSettings(**settings).model_dump_json(),
        'code_digest': '',
    }
    executor.Executor().Do(given.inputs, outputs, properties)
    return Exported(outputs['exported_model'][0], outputs['exports'][0])
