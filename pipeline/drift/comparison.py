"""Compares a folder of new images with those that a model learned from: reads, answers, judges."""

from __future__ import annotations

import dataclasses
import datetime
import pathlib
from collections.abc import Mapping

import numpy as np

from thawline.components.ingestion.decoding import ImageSettings
from thawline.components.report import pictures
from thawline.components.shared import progress
from thawline.components.shared.errors import NotFound
from thawline.pipeline.config.project import Project
from thawline.pipeline.drift import (
    earlier_images,
    judgement,
    new_images,
    production_accuracy,
    wording,
)
from thawline.pipeline.drift.judgement import AnsweredImages, Judgement
from thawline.pipeline.drift.new_images import NewImage, NewImages
from thawline.pipeline.drift.record import DriftRecord
from thawline.pipeline.prediction import model as prediction_model
from thawline.pipeline.registry.models import Model
from thawline.pipeline.registry.registry import Registry

MOST = 2_000  # images of each kind: more make no difference that matters clearer
_BATCH = 64


@dataclasses.dataclass(frozen=True)
class DriftResult:
    """The record, and thumbnails of the images that it names, as data URIs by id."""

    record: DriftRecord
    thumbnails: Mapping[str, str]


def compare(
    project: Project, registry: Registry, model: Model, source: str, most: int = MOST
) -> DriftResult:
    """Compares the images of a source with those that a model learned from.

    Args:
        project: with the policy, the columns and the groups.
        registry: of the project.
        model: of the registry.
        source: a folder or a CSV.
        most: images of each kind; of more, some are drawn at random.

    Raises:
        NotFound: the model's files or images are gone.
        DataError: no image can be used.
        ConfigError: the model or its base cannot be used.
    """
    if model.folder is None:
        raise NotFound(f'{model.folders[0]} was deleted; name another model with --model')
    data, policy = project.config.data, project.config.drift
    with prediction_model.load(str(model.folder)) as predictor:
        settings = ImageSettings(data.max_side, data.max_pixels, predictor.depth)
        read = new_images.read(project, source, settings, most)
        labels, scores = _answers(predictor, read.images)
        classes = predictor.classes
    earlier = earlier_images.read(registry, model, most)
    features = earlier.base.embed([image.encoded for image in read.images])
    finite = np.isfinite(features).all(axis=1)
    answered = _answered(read.images, features, labels, scores, finite)
    result = judgement.judge(earlier.images, earlier.answers, answered, classes, policy)
    thumbnails = _thumbnails(result, read.images, earlier.files)
    record = _record(project, model, source, read, earlier.total, result)
    accuracy = production_accuracy.of_model(model, pathlib.Path(source))
    record = dataclasses.replace(record, accuracy=accuracy)
    record = dataclasses.replace(
        record, sentence=wording.sentence(record), notes=tuple(wording.notes(record))
    )
    return DriftResult(record, thumbnails)


def _answers(
    predictor: prediction_model.Predictor, images: tuple[NewImage, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Predicted classes and their probabilities: str [M], float32 [M]."""
    progress.start('new images predicted', len(images))
    labels: list[str] = []
    scores = []
    for start in range(0, len(images), _BATCH):
        batch = images[start : start + _BATCH]
        answers = predictor.answers([image.encoded for image in batch])
        labels += answers.labels
        scores.append(answers.scores)
        progress.advance(len(batch))
    return np.array(labels, str), np.concatenate(scores)


def _answered(
    images: tuple[NewImage, ...],
    features: np.ndarray,
    labels: np.ndarray,
    scores: np.ndarray,
    kept: np.ndarray,
) -> AnsweredImages:
    """Those on which the base does not overflow."""
    facts: dict[str, np.ndarray] = {}
    for name in sorted({name for image in images for name in image.facts}):
        values = [image.facts.get(name, '') for image in images]
        # Facts of an image are always there; metadata, which are texts, may not be.
        kind = float if isinstance(images[0].facts.get(name), float) else str
        facts[name] = np.array(values, kind)[kept]
    columns = ([getattr(i, name) for i in images] for name in ('image_id', 'name', 'group'))
    ids, names, groups = (np.array(column, str)[kept] for column in columns)
    return AnsweredImages(ids, names, groups, features[kept], facts, labels[kept], scores[kept])


def _thumbnails(
    result: Judgement, images: tuple[NewImage, ...], files: dict[str, list[str]]
) -> dict[str, str]:
    encoded = {image.image_id: image.encoded for image in images}
    missing = {image.image_id for image in result.missing} - encoded.keys()
    if missing:
        scan = pictures.scan_examples(files, missing).images
        encoded |= {name: image.encoded for name, image in scan.items()}
    shown = {image.image_id for image in (*result.different, *result.missing)}
    progress.start('pictures', len(shown))
    return {name: pictures.thumbnail(encoded[name]) for name in shown if name in encoded}


def _record(
    project: Project, model: Model, source: str, read: NewImages, earlier: int, result: Judgement
) -> DriftRecord:
    return DriftRecord(
        project=project.name,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds'),
        source=source,
        model=model.id,
        run=model.run,
        verdict=result.verdict,
        sentence='',
        images=len(read.images),
        listed=read.listed,
        independent=result.independent,
        least=project.config.drift.least_images,
        earlier=earlier,
        compared=result.compared,
        classes=result.classes,
        outliers_before=result.outliers_before,
        outliers=result.outliers,
        different=result.different,
        missing=result.missing,
        rejected=read.rejected,
    )
