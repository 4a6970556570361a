"""The whole audit, from arrays to the record and the table."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
from sklearn.preprocessing import normalize

from thawline.components.data_audit import (
    base_check,
    findings,
    forecast,
    labels,
    new_images,
    out_of_fold,
    outliers,
    spurious,
    table,
)
from thawline.components.data_audit.earlier_run import EarlierFeatures
from thawline.components.data_audit.images import AuditedImages
from thawline.components.data_audit.out_of_fold import OutOfFoldAnswers
from thawline.components.data_audit.params import AuditPolicy
from thawline.components.data_audit.record import (
    AuditRecord,
    Forecast,
    Imbalance,
    Measured,
    PairedImage,
    SamePair,
)
from thawline.components.embedding import similarity
from thawline.components.shared import progress
from thawline.components.shared.errors import DataError
from thawline.components.shared.splits import SPLITS
from thawline.components.statistics import clustered

NEIGHBOURS = 10
_PAIRS = 100  # kept in the record
_FORECAST_CLASSES = 3  # those with the most errors
# Classes are called imbalanced from such a ratio on, if the smaller one is recognised worse.
_IMBALANCED = 3.0

# Rows of images -> name -> features of these images by something other than the base.
Rivals = Callable[[np.ndarray], Mapping[str, np.ndarray]]


def audit(
    images: AuditedImages,
    policy: AuditPolicy,
    rivals: Rivals,
    earlier: EarlierFeatures | None = None,
) -> tuple[AuditRecord, pa.Table]:
    """Audits images; the record has its findings, fatal ones too.

    Args:
        images: of this run.
        policy: of the project.
        rivals: features that the base is compared with.
        earlier: images that new ones are compared with.
    """
    unit = normalize(images.features) if len(images) else images.features
    directions = similarity.principal_directions(unit)
    progress.start('similar images')
    cosines, nearest = similarity.neighbours(directions, NEIGHBOURS)
    distance = outliers.distances(directions, images.labels)
    far = outliers.far_out(distance)
    pairs = outliers.same_across_splits(cosines, nearest, images.parts, images.clusters)
    record = AuditRecord(
        _counts(images.splits), '', None, {}, _counts(images.splits[far]), (),
        tuple(_pair(images, *pair) for pair in pairs[:_PAIRS]), len(pairs), (), None, None, (), (),
    )  # fmt: skip
    columns = {'distance': distance, 'outlier': far}
    order = np.argsort(images.ids, kind='stable')
    suspects = np.zeros(0, np.int64)
    named = np.array(images.classes)
    try:
        answers = out_of_fold.answer(images)
    except DataError as error:
        record = dataclasses.replace(record, left_out=str(error))
    else:
        issues = labels.find_issues(images.labels, answers.probabilities, images.learned, nearest)
        order = issues.ranking(images.ids)
        suspects = order[: int(issues.suspect.sum())]
        columns |= {
            'quality': issues.quality, 'suggested': named[issues.suggested],
            'suspect': issues.suspect, 'votes': issues.votes, 'fold': answers.fold,
        }  # fmt: skip
        record = dataclasses.replace(
            _measure(record, images, answers, policy, rivals),
            suspects=_counts(images.splits[issues.suspect]),
        )
    if earlier is not None:
        record = dataclasses.replace(record, new=new_images.compare(images, earlier))
    rows = _table(images, columns, nearest.shape[1], order)
    farthest = sorted(np.flatnonzero(far), key=lambda row: -distance[row])
    suggested = columns.get('suggested', named[images.labels] if len(images) else named)
    record = dataclasses.replace(
        record,
        findings=findings.find(
            record,
            [
                (str(images.paths[row]), images.classes[images.labels[row]], str(suggested[row]))
                for row in suspects
            ],
            [str(images.paths[row]) for row in farthest],
            policy,
        ),
    )
    return record, rows


def _measure(
    record: AuditRecord,
    images: AuditedImages,
    answers: OutOfFoldAnswers,
    policy: AuditPolicy,
    rivals: Rivals,
) -> AuditRecord:
    """All that rests on answers out of fold, from train and val alone."""
    rows = images.learned
    own, clusters = images.labels[rows], images.clusters[rows]
    probabilities = answers.probabilities[rows]
    hits = probabilities.argmax(axis=1) == own
    names = images.classes
    base = None
    if policy.weak_base != 'ignore':
        sample = base_check.sample_rows(images.labels, rows)
        base = base_check.check(
            images.features[sample], rivals(sample), images.labels[sample], images.clusters[sample]
        )
    facts = {name: values[rows] for name, values in images.facts.items()}
    return dataclasses.replace(
        record,
        accuracy=_measured(hits, clusters),
        overlaps=tuple(labels.find_overlaps(own, probabilities, names)),
        facts=tuple(spurious.measure(facts, own, answers.fold[rows], clusters)),
        base=base,
        imbalance=_imbalance(own, hits, clusters, names),
        forecasts=tuple(_forecasts(images, answers, hits)) if policy.forecast else (),
    )


def _measured(hits: np.ndarray, clusters: np.ndarray) -> Measured:
    estimate = clustered.estimate(hits, clusters)
    return Measured(estimate.share, estimate.lower, estimate.upper, estimate.n)


def _imbalance(
    own: np.ndarray, hits: np.ndarray, clusters: np.ndarray, names: tuple[str, ...]
) -> Imbalance | None:
    """The smallest class, if it is much smaller and surely recognised worse than all images."""
    counts = np.bincount(own, minlength=len(names))
    present = np.flatnonzero(counts)
    smallest, largest = present[counts[present].argmin()], int(counts.argmax())
    if counts[largest] < _IMBALANCED * counts[smallest]:
        return None
    mine = own == smallest
    recall = _measured(hits[mine], clusters[mine])
    if recall.upper >= hits.mean():
        return None
    sizes = int(counts[smallest]), int(counts[largest])
    share = float(counts[largest] / counts.sum())
    return Imbalance(names[smallest], names[largest], *sizes, recall, share)


def _forecasts(
    images: AuditedImages, answers: OutOfFoldAnswers, hits: np.ndarray
) -> list[Forecast]:
    """Of as many images again, of all classes and of each that errs most."""
    rows = images.learned
    own, clusters = images.labels[rows], images.clusters[rows]
    inputs = answers.components[rows], own, clusters, answers.strength
    progress.start('learning curves')
    curve = forecast.measure(*inputs)
    if curve is None:
        return []
    forecasts = [forecast.forecast(curve, len(rows), len(rows))]
    errors = np.bincount(own, ~hits, minlength=len(images.classes))
    for label in np.argsort(-errors, kind='stable')[:_FORECAST_CLASSES]:
        count = int((own == label).sum())
        if not errors[label] or len(images.classes) < 2:
            continue
        curve = forecast.measure(*inputs, repeats=1, only=int(label))
        if curve is not None:
            forecasts.append(forecast.forecast(curve, count, count, images.classes[label]))
    return forecasts


def _counts(splits: np.ndarray) -> dict[str, int]:
    counts = collections.Counter(splits.tolist())
    return {split: counts[split] for split in SPLITS if counts[split]}


def _pair(images: AuditedImages, a: int, b: int, cosine: float) -> SamePair:
    parts = images.parts
    first, second = (
        PairedImage(
            str(images.ids[row]),
            str(images.paths[row]),
            str(parts[row]),
            images.classes[images.labels[row]],
        )
        for row in (a, b)
    )
    return SamePair(first, second, cosine)


def _table(
    images: AuditedImages, columns: Mapping[str, np.ndarray], voters: int, order: np.ndarray
) -> pa.Table:
    """A row an image in `order`; what was not measured is null."""
    every: dict[str, np.ndarray] = {
        'image_id': images.ids,
        'path': images.paths,
        'split': images.splits,
        'label': np.array(images.classes)[images.labels] if len(images) else images.ids,
        'label_confidence': images.confidence,
        'voters': np.full(len(images), voters),
        **columns,
    }
    arrays = [
        pa.array(every[field.name][order], field.type)
        if field.name in every
        else pa.nulls(len(images), field.type)
        for field in table.SCHEMA
    ]
    return pa.Table.from_arrays(arrays, schema=table.SCHEMA)
