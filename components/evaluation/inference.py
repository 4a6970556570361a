"""The Beam pipeline that runs the models over the images, once, and writes the predictions.

An image that the model learned from, or that chose it, is judged by the answer that the Trainer
held out (`components.shared.held_out_answers`). What the model itself says of it is kept beside,
for checks that another form of the model answers alike.

Where a model's base is frozen, its head answers to the features that the Embedder has computed, and
no image is decoded again.

Each shard of examples is read by tf.data in batches, in threads of TensorFlow while the models work
on the batch before. Image bytes are no elements of Beam, and what goes on to be evaluated are rows
of numbers and names.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow as tf
from apache_beam.utils import shared

from thawline.components.evaluation import cached_features, predictions, slices
from thawline.components.ingestion import examples
from thawline.components.saved_model import card
from thawline.components.saved_model.runner import SavedModelRunner
from thawline.components.shared import progress, tf_data
from thawline.components.shared.errors import DataError
from thawline.components.shared.held_out_answers import HeldOutAnswers
from thawline.components.shared.splits import EVALUATED, TEST, VAL

BATCH = 64
_FACTS = ('brightness', 'contrast', 'sharpness')


@dataclasses.dataclass(frozen=True)
class InferenceJob:
    """What to run, and what the statistics say of the images.

    Attributes:
        candidate: folder of the SavedModel.
        baseline: the same of the model that it is compared with, None without one.
        unseen: ids of the images that the baseline is asked about.
        baseline_held_out: image id -> answer that was held out from the baseline.
        metadata: names of the columns that the images came with.
        edges: of the columns of buckets.
        embeddings: of the images, None where there are none.
        model_run: of the Trainer, with answers that were held out; None where there is none.
    """

    candidate: str
    baseline: str | None
    unseen: frozenset[str]
    metadata: tuple[str, ...]
    edges: tuple[tuple[str, tuple[float, float]], ...]
    embeddings: str | None = None
    model_run: str | None = None
    baseline_held_out: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def folders(self) -> list[str]:
        """Of the candidate and, where there is one, the baseline."""
        return [folder for folder in (self.candidate, self.baseline) if folder]


class ExportedModel(SavedModelRunner):
    """A SavedModel of the chain, with its classes."""

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        self.classes = card.read(pathlib.Path(folder)).classes


class _Models(list[ExportedModel]):
    """A list that can be shared: Beam keeps weak references."""


_loaded: dict[str, ExportedModel] = {}


@contextlib.contextmanager
def load_models(folders: Sequence[str]) -> Iterator[list[ExportedModel]]:
    """Loads the models for the time of the block; workers of this process use the same ones."""
    models = {folder: ExportedModel(folder) for folder in folders}
    _loaded.update(models)
    try:
        yield [models[folder] for folder in folders]
    finally:
        for folder in models:
            del _loaded[folder]


def run(root: beam.Pipeline, files: Sequence[str], job: InferenceJob, uri: str) -> None:
    """Adds the pipeline.

    Args:
        files: gzipped TFRecords of tf.Examples as ingested.
        job: what to run.
        uri: of the evaluation.
    """
    classes = card.read(pathlib.Path(job.candidate)).classes
    schema = predictions.schema(classes, job.metadata, dict(job.edges))
    (
        root
        | 'Shards' >> beam.Create(list(files))
        | 'Share out' >> beam.Reshuffle()  # else one worker would get all of them
        | 'Predict' >> beam.ParDo(_PredictShard(job))
        | 'Write'
        >> beam.io.WriteToParquetBatched(
            os.path.join(predictions.folder(uri), 'part'), schema, file_name_suffix='.parquet'
        )
    )


class _PredictShard(beam.DoFn):
    """A shard of examples -> pieces of the table of predictions."""

    def __init__(self, job: InferenceJob) -> None:
        self._job = job
        self._shared = shared.Shared()

    def setup(self) -> None:
        folders, uri = self._job.folders, self._job.embeddings
        self._models = self._load_models(folders)
        self._by_features = [
            uri is not None and cached_features.fits(folder, uri) for folder in folders
        ]
        self._cached = None
        if uri is not None and any(self._by_features):
            self._cached = cached_features.CachedFeatures(uri, EVALUATED)
        self._held = self._read_held_out()
        self._held_out = {identity: row for row, identity in enumerate(self._held.ids)}
        self._schema = predictions.schema(
            self._models[0].classes, self._job.metadata, dict(self._job.edges)
        )

    def _read_held_out(self) -> HeldOutAnswers:
        uri, classes = self._job.model_run, len(self._models[0].classes)
        held = None if uri is None else HeldOutAnswers.read(uri)
        return held or HeldOutAnswers.empty(np.zeros(0, object), np.zeros(0), classes)

    def _load_models(self, folders: Sequence[str]) -> list[ExportedModel]:
        """Those of this process, or, in another worker, some that its threads share."""
        if all(folder in _loaded for folder in folders):
            return [_loaded[folder] for folder in folders]
        models: _Models = self._shared.acquire(lambda: _Models(map(ExportedModel, folders)))
        return models

    def process(self, file: str) -> Iterator[pa.Table]:
        for serialized in _batches(file):
            rows = self._facts(list(map(tf.train.Example.FromString, serialized)))
            keep = self._judged(rows)
            if (
                not keep.all()
            ):  # of train, where the images have no folds, or no class that is known
                serialized = serialized[keep]
                rows = {name: list(itertools.compress(v, keep)) for name, v in rows.items()}
            progress.advance(len(keep))
            if len(serialized):
                yield predictions.table(self._answer(rows, serialized), self._schema)

    def _judged(self, rows: Mapping[str, Any]) -> np.ndarray:
        """Images of val and test, and those of train that were held out: bool [N]."""
        held = (identity.encode() in self._held_out for identity in rows['image_id'])
        pairs = zip(rows['split'], held, strict=True)
        return np.array([split in EVALUATED or has for split, has in pairs], bool)

    def _answer(self, rows: dict[str, Any], serialized: np.ndarray) -> dict[str, Any]:
        """Adds answers; all images of train were held out, and the model is not asked for them."""
        ids = np.array(rows['image_id'])
        n, classes = len(ids), np.array(self._models[0].classes, object)
        own = np.array([split in EVALUATED for split in rows['split']], bool)
        answers, probabilities = np.full(n, None), np.zeros((n, len(classes)))
        served, chances = np.full(n, None), np.full(n, None)
        if own.any():
            candidate = self._answers(0, serialized[own], ids[own])
            answers[own], probabilities[own] = (
                _texts(candidate['label']),
                candidate['probabilities'],
            )
        folds = np.full(n, None)
        for row, identity in enumerate(ids):
            place = self._held_out.get(identity.encode())
            if place is None or rows['split'][row] == TEST:
                continue
            if own[row]:
                served[row], chances[row] = answers[row], probabilities[row].astype(np.float32)
            held = self._held
            folds[row], answers[row] = int(held.fold[place]), classes[held.answers[place]]
            probabilities[row] = held.probabilities[place]
            rows['split'][row] = VAL
        position = {name: i for i, name in enumerate(classes)}
        at = np.array([position[name] for name in answers])
        rows |= {
            'answer': answers,
            'score': probabilities[np.arange(n), at].astype(np.float32),
            'probabilities': predictions.vectors(probabilities),
            'fold': folds,
            'served_answer': served,
            'served_probabilities': chances,
        }
        baseline = np.array([self._job.baseline_held_out.get(identity) for identity in ids], object)
        unseen = np.array([identity in self._job.unseen for identity in ids])
        if self._job.baseline and unseen.any():
            asked = self._answers(1, serialized[unseen], ids[unseen])
            baseline[unseen] = _texts(asked['label'])
        rows['baseline_answer'] = baseline
        return rows

    def _answers(
        self, model: int, serialized: np.ndarray, ids: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Of the candidate (0) or the baseline (1)."""
        if self._cached is not None and self._by_features[model]:
            features = self._cached.of(ids.tolist())
            if features is not None:
                return self._models[model]('serving_features', features=features)
        return self._models[model]('serving_default', examples=serialized)

    def _facts(self, batch: Sequence[tf.train.Example]) -> dict[str, Any]:
        names = ('image_id', 'path', 'split', 'label', 'source_format', *self._job.metadata)
        rows: dict[str, Any] = {
            name: [examples.text(example, name) for example in batch] for name in names
        }
        rows['cluster'] = [
            examples.text(example, 'cluster') or identity
            for example, identity in zip(batch, rows['image_id'], strict=True)
        ]
        for name in _FACTS:
            rows[name] = [example.features.feature[name].float_list.value[0] for example in batch]
        for name in ('width', 'height'):
            rows[name] = [example.features.feature[name].int64_list.value[0] for example in batch]
        rows['size'] = [max(sides) for sides in zip(rows['width'], rows['height'], strict=True)]
        for column, edges in self._job.edges:
            fact = column.removesuffix(slices.SUFFIX)
            rows[column] = [slices.bucket(fact, value, edges) for value in rows[fact]]
        return rows


def _texts(values: np.ndarray) -> list[str]:
    return [value.decode() for value in values]


def _batches(file: str) -> Iterator[np.ndarray]:
    """Serialized examples, bytes [N], of one shard.

    Raises:
        DataError: it is damaged.
    """
    try:
        yield from tf_data.batches(file, BATCH).as_numpy_iterator()
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
        reason = error.message.splitlines()[0]
        raise DataError(
            f'{file} is damaged ({reason}); recreate it with: thawline run --no-cache'
        ) from error
