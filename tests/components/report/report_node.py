"""The node Report on artifacts as the nodes before it leave them, and after the real Evaluator."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.artifact import Artifact

from tests import made_records
from tests.components import transformed as making
from tests.components.data_audit import audited
from tests.components.evaluation import evaluating
from tests.components.report import report_inputs
from tests.components.training import tiny
from tests.components.transformed import Row
from thawline.components.data_audit import table as audit_table
from thawline.components.data_audit.artifacts import DataAudit
from thawline.components.data_gate.artifacts import DataVerdict
from thawline.components.data_gate.findings import DataFacts, DataRecord
from thawline.components.embedding import embeddings
from thawline.components.embedding.artifacts import Embeddings
from thawline.components.embedding.image_embeddings import ImageEmbeddings
from thawline.components.ingestion.artifacts import Quarantine
from thawline.components.ingestion.summary import IngestionSummary
from thawline.components.report import executor
from thawline.components.report.artifacts import Report
from thawline.components.report.audited_data import AuditedData
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training.record import TrainingRecord

SPLITS = ('train', 'val', 'test')


def artifact(kind: type[Artifact], folder: pathlib.Path, artifact_id: int) -> Artifact:
    folder.mkdir(parents=True, exist_ok=True)
    made = kind()
    made.uri, made.id = str(folder), artifact_id
    if hasattr(kind, 'PROPERTIES') and 'split_names' in (kind.PROPERTIES or {}):
        made.split_names = artifact_utils.encode_split_names(list(SPLITS))
    return made


def write_records(
    home: pathlib.Path, ingestion: IngestionSummary, gate: DataRecord, training: TrainingRecord
) -> None:
    """Into the folders of the artifacts below `home`."""
    ingestion.write(home / 'quarantine')
    gate.write(home / 'data_verdict')
    training.write(home / 'model_run')


def write_embeddings(folder: pathlib.Path, embedded: ImageEmbeddings) -> None:
    """The artifact Embeddings; train has an augmented view of each image, far off."""
    sets = {}
    for split in SPLITS:
        mine = embedded.splits == split
        ids = np.array([name.encode() for name in embedded.ids[mine]], object)
        features = embedded.features[mine][:, None]
        if split == 'train':
            features = np.concatenate([features, features + 9], axis=1)
        sets[split] = LabelledSet(features, embedded.labels[mine], ids)
    spec = embeddings.Spec(
        'tiny', 'random', 32, 'top', 'light', 1, 0,
        embedded.features.shape[1], {split: len(of) for split, of in sets.items()}, 'abc', 1.0,
    )  # fmt: skip
    tiny.write_embeddings(folder, spec, sets)


def write_audit(folder: pathlib.Path, audit: AuditedData) -> None:
    """The artifact DataAudit."""
    audit.record.write(folder)
    audit_table.write(folder, audit.rows)


def run(inputs: dict[str, list[Artifact]], home: pathlib.Path) -> tuple[Artifact, pathlib.Path]:
    """Runs the executor; returns the artifact and its folder."""
    report = artifact(Report, home / 'report', 99)
    properties = {'config': json.dumps(report_inputs.CONFIG)}
    executor.Executor().Do(inputs, {'report': [report]}, properties)
    return report, pathlib.Path(report.uri)


@dataclasses.dataclass(frozen=True)
class Told:
    """What the node wrote.

    Attributes:
        home: where the folders `evaluation` and `report` are.
        page: the HTML.
        content: as a strict JSON parser reads it.
    """

    home: pathlib.Path
    page: str
    content: Mapping[str, Any]

    @property
    def rules(self) -> dict[str, Any]:
        return {rule['name']: rule for rule in self.content['verdict']['rules']}

    @property
    def facts(self) -> dict[str, Any]:
        return {fact['term']: fact for card in self.content['cards'] for fact in card['facts']}


def rows(classes: Sequence[str], per_class: int, seed: int) -> list[Row]:
    """Images with these classes in place of their own."""
    renamed = dict(zip(making.CLASSES, classes, strict=False))
    return [
        dataclasses.replace(row, label=renamed[row.label])
        for row in making.rows(per_class, seed)
        if row.label in renamed
    ]


def embedded(splits: Mapping[str, Sequence[Row]], classes: tuple[str, ...]) -> ImageEmbeddings:
    every = {
        split: [report_inputs.Drawn(row.image_id, '', row.label, row.image) for row in of]
        for split, of in splits.items()
    }
    return report_inputs.embedded(every, classes)


def report(
    home: pathlib.Path,
    model: pathlib.Path,
    splits: Mapping[str, Sequence[Row]],
    classes: tuple[str, ...],
    metadata: Callable[[Row], dict[str, str]] | None = None,
    since: Callable[[], None] = lambda: None,
    **settings: Any,
) -> Told:
    """Evaluates the model and reports on it.

    Args:
        home: receives everything.
        model: folder of the artifact.
        splits: images.
        classes: of the model.
        metadata: of an image.
        since: what happens between the Evaluator and the report.
        settings: of the evaluation.
    """
    serialized = {
        split: [evaluating.example(row, split, metadata and metadata(row)) for row in of]
        for split, of in splits.items()
    }
    evaluated = evaluating.evaluate(home, serialized, model, **settings)
    since()
    kinds = {
        'examples': standard_artifacts.Examples,
        'statistics': standard_artifacts.ExampleStatistics,
        'quarantine': Quarantine,
        'data_verdict': DataVerdict,
        'data_audit': DataAudit,
        'embeddings': Embeddings,
        'model_run': standard_artifacts.ModelRun,
    }
    made = {
        name: artifact(kind, home / name, place) for place, (name, kind) in enumerate(kinds.items())
    }
    counts = {
        split: {name: sum(row.label == name for row in of) for name in classes}
        for split, of in splits.items()
    }
    written = sum(map(len, splits.values()))
    data_record = DataRecord(DataFacts({}, written, 0, {}), [])
    write_records(home, made_records.ingestion(counts), data_record, made_records.training())
    write_embeddings(home / 'embeddings', embedded(splits, classes))
    write_audit(home / 'data_audit', audited.of_embeddings(embedded(splits, classes), classes))
    made['model'] = artifact(standard_artifacts.Model, model, evaluating.MODEL_ID)
    made['evaluation'] = evaluated.evaluation
    _, folder = run({name: [one] for name, one in made.items()}, home)
    texts = {path.name: path.read_text('utf-8') for path in folder.iterdir()}
    content = strictly(texts[executor.CONTENT])
    assert strictly(texts[executor.SUMMARY])['parts'] == content['parts']
    return Told(home, texts[executor.HTML], content)


def strictly(text: str) -> Any:
    """JSON without Python's NaN and Infinity, which no browser reads."""

    def refused(name: str) -> None:
        raise AssertionError(f'{name} in the JSON')

    return json.loads(text, parse_constant=refused)
