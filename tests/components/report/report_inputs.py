"""A tiny exported model, its real predictions, and all else that a report is made of."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tests import made_records
from tests.components.data_audit import audited
from tests.components.training import tiny
from tests.components.transformed import CLASSES, RESIZE, SIZE, Row, Transformed
from thawline.components.backbones import classifier
from thawline.components.data_gate.findings import DataFacts, DataRecord
from thawline.components.embedding.image_embeddings import ImageEmbeddings
from thawline.components.evaluation import serving_cost
from thawline.components.evaluation.gate.record import RuleResult, Verdict
from thawline.components.evaluation.params import Evaluation
from thawline.components.evaluation.predictions import Predictions
from thawline.components.report import build, model_card, saliency
from thawline.components.saved_model import card, signatures
from thawline.components.shared.finding import Finding
from thawline.components.training.record import BaseRecord

HOSTILE_PATH = 'a/"><img src=x onerror=alert(1)>.png'
VERDICT = Verdict(
    False,
    'Not blessed: validation accuracy 0.500 is below 0.800.',
    (
        RuleResult(
            'val_accuracy', 'Validation accuracy', False, 0.5, 0.8, -0.3, 'Is below.', 'More.'
        ),
    ),
)
CONFIG = {'name': 'tiny', 'gate': {'val_accuracy': 0.8}}


@dataclasses.dataclass(frozen=True)
class Drawn:
    """An ingested image."""

    image_id: str
    path: str
    label: str
    encoded: bytes


def write(path: pathlib.Path, rows: Sequence[Drawn], group: str = '') -> str:
    """Examples as the ingestion leaves them."""
    with tf.io.TFRecordWriter(str(path), 'GZIP') as writer:
        for row in rows:
            writer.write(example(row, group))
    return str(path)


def example(row: Drawn, group: str = '') -> bytes:
    message = tf.train.Example()
    for name, value in (
        ('image', row.encoded),
        ('image_id', row.image_id.encode()),
        ('path', row.path.encode()),
        ('label', row.label.encode()),
        ('group', (group or row.image_id).encode()),
    ):
        message.features.feature[name].bytes_list.value.append(value)
    return message.SerializeToString()


def exported(
    transformed: Transformed, folder: pathlib.Path, classes: tuple[str, ...] = CLASSES
) -> pathlib.Path:
    """A model with a random head on a random base."""
    made = classifier.build(tiny.backbone(side=SIZE), 'top', len(classes), 0.2, seed=0)
    rng = np.random.default_rng(0)
    made.set_head(rng.normal(size=(8, len(classes))), np.zeros(len(classes)))
    signatures.export(made, classes, transformed.output, SIZE, RESIZE, folder)
    return folder


def drawn(rows: Sequence[Row], split: str) -> list[Drawn]:
    """Ingested images; the first has a hostile path."""
    return [
        Drawn(
            f'{split}-{i}', HOSTILE_PATH if not i else f'{split}/{i}.png', row.label, row.image
        )
        for i, row in enumerate(rows)
    ]  # fmt: skip


def answered(
    folder: pathlib.Path, splits: dict[str, list[Drawn]], classes: tuple[str, ...] = CLASSES
) -> Predictions:
    """What the exported model answers on val and test."""
    serve = tf.saved_model.load(str(folder)).signatures['serving_default']
    rows = [(split, row) for split in ('val', 'test') for row in splits[split]]
    out = serve(examples=tf.constant([example(row) for _, row in rows]))
    position = {name.encode(): i for i, name in enumerate(classes)}
    labels = [position.get(row.label.encode(), -1) for _, row in rows]
    sizes = np.array(['small', 'medium', 'large'], object)
    return Predictions(
        ids=np.array([row.image_id for _, row in rows]),
        paths=np.array([row.path for _, row in rows]),
        splits=np.array([split for split, _ in rows]),
        clusters=np.array([row.image_id for _, row in rows]),
        labels=np.array(labels, np.int64),
        labelled=np.array([bool(row.label) for _, row in rows]),
        answers=np.array([position[name] for name in out['label'].numpy()], np.int64),
        scores=out['score'].numpy(),
        probabilities=out['probabilities'].numpy(),
        baseline_answers=None,
        columns={
            'size_bucket': sizes[np.arange(len(rows)) % 3],
            'meta_serial': np.array([f's{i}' for i in range(len(rows))], object),
        },
        classes=classes,
        edges={'size_bucket': (30.0, 45.0)},
    )


def embedded(
    splits: dict[str, list[Drawn]], classes: tuple[str, ...] = CLASSES, dimension: int = 8
) -> ImageEmbeddings:
    """Features that tell the classes apart."""
    rng = np.random.default_rng(0)
    rows = [(split, row) for split, of in splits.items() for row in of]
    labels = np.array([classes.index(r.label) if r.label in classes else -1 for _, r in rows])
    features = 5 * np.eye(len(classes) + 1, dimension)[labels] + rng.normal(size=(len(rows), 8))
    return ImageEmbeddings(
        np.array([row.image_id for _, row in rows]),
        np.array([split for split, _ in rows]),
        labels,
        features.astype(np.float32),
    )


def given(
    transformed: Transformed, tmp_path: pathlib.Path, classes: tuple[str, ...] = CLASSES
) -> build.ReportInputs:
    """All that a report is made of, from 40 images of `classes`."""
    rows = [row for row in transformed.rows if row.label in classes]
    third = len(rows) // 3
    splits = {
        'train': drawn(rows[: 2 * third], 'train'),
        'val': drawn(rows[third:], 'val'),
        'test': drawn(rows[2 * third :], 'test'),
    }
    folder = exported(transformed, tmp_path / 'model', classes)
    counts = {
        split: {name: sum(row.label == name for row in of) for name in classes}
        for split, of in splits.items()
    }
    return build.ReportInputs(
        run='20261121-120000.000',
        created='2026-11-21T12:00:00+00:00',
        verdict=VERDICT,
        threshold=0.8,
        predictions=answered(folder, splits, classes),
        embeddings=embedded(splits, classes),
        audit=audited.of_embeddings(embedded(splits, classes), classes),
        data=build.DataRecords(
            dataclasses.replace(made_records.ingestion(counts, 2), notes=('a note',)),
            DataRecord(
                DataFacts({}, 0, 0, {}), [Finding(False, 'a strange value', 'new_value')]
            ),
            {'train': {'brightness': (0.5, 0.1, 100)}, 'val': {'brightness': (0.6, 0.1, 50)}},
            {
                split: [write(tmp_path / f'{split}.gz', of)]
                for split, of in splits.items()
            },
        ),
        model=model_card.ModelCardInputs(
            made_records.training(base=BaseRecord('tiny', 'random', 'abc', SIZE)),
            card.read(folder), serving_cost.size_mb(str(folder)), CONFIG, (), 7,
        ),
        explain=saliency.Explainer(folder),
        evaluation=Evaluation(smallest_slice=3, most_values=10),
        previous=None,
    )  # fmt: skip
