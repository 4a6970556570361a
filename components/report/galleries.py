"""The pictures of the page and their galleries."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from thawline.components.embedding import similarity
from thawline.components.embedding.image_embeddings import ImageEmbeddings
from thawline.components.evaluation.metrics import Answers
from thawline.components.evaluation.predictions import Predictions
from thawline.components.report import metrics, picture_choice, pictures
from thawline.components.report.audited_data import AuditedData
from thawline.components.report.content import ConfusionCell, Gallery, Neighbour, Picture
from thawline.components.report.pictures import ExampleScan
from thawline.components.shared import progress
from thawline.components.shared.splits import TRAIN, VAL, part_name

_NEIGHBOURS = 3

Explain = Callable[[Sequence[bytes], Sequence[int]], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Album:
    """All pictures of a report.

    Attributes:
        pictures: by id.
        galleries: of some of them.
        cells: split -> cells of its confusion matrix that have an image.
        scan: of the examples.
        deleted: pictures whose examples were deleted.
    """

    pictures: dict[str, Picture]
    galleries: tuple[Gallery, ...]
    cells: dict[str, tuple[ConfusionCell, ...]]
    scan: ExampleScan
    deleted: int


def build_album(
    predictions: Predictions,
    answers: Answers,
    rows: np.ndarray,
    embeddings: ImageEmbeddings,
    audit: AuditedData,
    files: Mapping[str, Sequence[str]],
    explain: Explain,
    resize: str,
    has_folds: bool = False,
) -> Album:
    """Chooses the images, finds their neighbours and draws them.

    Args:
        predictions: of all evaluated images.
        answers: to the labelled images.
        rows: int64 [N], rows of `predictions` of these answers.
        embeddings: of the labelled images of all splits.
        audit: of the same images.
        files: split -> examples.
        explain: heat maps of encoded images for a class each; see `saliency.Explainer`.
        resize: how the model resizes images.
        has_folds: whether train and val are folds, each of which is judged.
    """
    learned = (TRAIN, VAL) if has_folds else (TRAIN,)
    ids, splits = predictions.ids[rows], predictions.splits[rows]
    row_of = {str(name): i for i, name in enumerate(ids)}
    choice = picture_choice.choose(answers, splits, ids)
    audited = {
        'labels': audit.suspects(picture_choice.LABELS),
        'outliers': audit.outliers(picture_choice.LABELS),
        'pairs': audit.pairs(),
    }
    first = [*(str(ids[r]) for r in (*choice.mistakes, *choice.uncertain)), *audited['labels']]
    first += [*audited['outliers'], *audited['pairs']]
    then = [str(ids[r]) for r in choice.cells[: picture_choice.MOST]]
    neighbours = _neighbours(embeddings, list(dict.fromkeys([*first, *then])), learned)
    names, with_neighbours = picture_choice.fill_page(
        first,
        then,
        {name: [n.picture for n in nearest] for name, nearest in neighbours.items()},
        picture_choice.MOST,
    )
    progress.start('pictures for the report', len(names))
    scan = pictures.scan_examples(files, names)
    answered = {str(name) for name in ids[answers.has_answer]}
    explained = [name for name in names if name in answered and name in scan.images]
    heat = _heat_maps(explain, explained, scan, [answers.answers[row_of[n]] for n in explained])
    drawn = {}
    for name in names:
        row = row_of.get(name)
        note = '; '.join(notes[name] for notes in audited.values() if name in notes)
        picture = _picture(
            name, row, rows, answers, predictions, scan.images.get(name), note, has_folds
        )
        nearest = tuple(neighbours.get(name, ())) if name in with_neighbours else ()
        if name in heat:
            size = pictures.thumbnail_size(scan.images[name].encoded)
            overlay = pictures.overlay(heat[name], size, resize)
            picture = dataclasses.replace(picture, overlay=overlay)
        drawn[name] = dataclasses.replace(picture, neighbours=nearest)
        progress.advance()
    galleries = _galleries(
        {
            'mistakes': [str(ids[r]) for r in choice.mistakes],
            'uncertain': [str(ids[r]) for r in choice.uncertain],
            'labels': list(audited['labels']),
            **{name: list(audited[name]) for name in ('outliers', 'pairs') if audited[name]},
        },
        drawn,
        has_folds,
    )
    cells = {str(s): _cells(answers, splits == s, ids, drawn) for s in np.unique(splits)}
    deleted = sum(not picture.thumbnail for picture in drawn.values())
    return Album(drawn, galleries, cells, scan, deleted)


def _neighbours(
    embeddings: ImageEmbeddings, names: Sequence[str], learned: Sequence[str]
) -> dict[str, list[Neighbour]]:
    """The most similar images of each among those of the splits `learned`, without itself."""
    row_of = {str(name): row for row, name in enumerate(embeddings.ids)}
    known = [name for name in names if name in row_of]
    train = np.flatnonzero(np.isin(embeddings.splits, learned))
    cosines, nearest = similarity.nearest(
        embeddings.features[[row_of[name] for name in known]],
        embeddings.features[train],
        _NEIGHBOURS + 1,
    )
    train_ids = embeddings.ids[train]
    return {
        name: [
            Neighbour(str(train_ids[row]), float(cosine))
            for cosine, row in zip(similarities, rows, strict=True)
            if train_ids[row] != name
        ][:_NEIGHBOURS]
        for name, similarities, rows in zip(known, cosines, nearest, strict=True)
    }


def _heat_maps(
    explain: Explain, names: Sequence[str], scan: ExampleScan, classes: Sequence[int]
) -> dict[str, np.ndarray]:
    """Heat maps that are finite everywhere: gradients can overflow where answers do not."""
    if not names:
        return {}
    maps = explain([scan.images[name].encoded for name in names], classes)
    pairs = zip(names, maps, strict=True)
    return {name: heat for name, heat in pairs if np.isfinite(heat).all()}


def _picture(
    name: str,
    row: int | None,
    rows: np.ndarray,
    answers: Answers,
    predictions: Predictions,
    source: pictures.IngestedImage | None,
    note: str,
    has_folds: bool,
) -> Picture:
    """A picture without overlay and neighbours; `row` is None for an image not evaluated."""
    path, split, label = (source.path, source.split, source.label) if source else ('', TRAIN, '')
    answer = score = None
    if row is not None:
        position = int(answers.labels[row])
        place = rows[row]
        path, split = str(predictions.paths[place]), str(predictions.splits[place])
        if has_folds:
            split = part_name(split, int(predictions.folds[place]))
        label = predictions.classes[position] if position >= 0 else label
        if answers.answers[row] != metrics.NO_ANSWER:
            answer = predictions.classes[int(answers.answers[row])]
            score = float(answers.scores[row])
    thumbnail = pictures.thumbnail(source.encoded) if source else ''
    return Picture(name, path, split, label, answer, score, thumbnail, '', (), note)


def _cells(
    answers: Answers, in_split: np.ndarray, ids: np.ndarray, drawn: Mapping[str, Picture]
) -> tuple[ConfusionCell, ...]:
    """The cells of one split, the largest first, with their pictures."""
    rows_of: dict[tuple[int, int], list[int]] = {}
    for row in np.flatnonzero(in_split & (answers.labels >= 0) & answers.has_answer).tolist():
        rows_of.setdefault((int(answers.labels[row]), int(answers.answers[row])), []).append(row)
    cells = []
    for (label, answer), members in rows_of.items():
        shown = [row for row in members if str(ids[row]) in drawn]
        shown.sort(key=lambda row: -answers.scores[row])
        cells.append(
            ConfusionCell(label, answer, len(members), tuple(str(ids[row]) for row in shown))
        )
    return tuple(sorted(cells, key=lambda cell: (-cell.count, cell.label, cell.answer)))


_TITLES = {
    'mistakes': (
        'Most confident mistakes',
        'Wrong predictions with the highest scores: wrong labels, unusual images, or what the '
        'model has yet to learn.',
    ),
    'uncertain': (
        'Least certain hits',
        'Correct predictions with the lowest scores: similar images may be misclassified.',
    ),
    'labels': (
        'Suspicious labels',
        'Images whose label a probe contradicts that did not learn from them (confident learning), '
        'the most suspicious first. Some are right and merely hard: have them checked by someone '
        'who knows the data. Correcting images that judge the model by this list alone favours it.',
    ),
    'outliers': (
        'Outliers',
        'Images unlike those of any class, as the base sees them: other things, broken pictures, '
        'or rare views that need more examples.',
    ),
    'pairs': (
        'Same in two splits',
        'Pairs that look the same but are in different splits, one beside the other. If they show '
        'the same thing, accuracy is overstated: give them one group.',
    ),
}


_TITLES_IN_FOLDS = {
    'pairs': (
        'Same in two folds',
        'Pairs that look the same but are in different folds, one beside the other. If they show '
        'the same thing, accuracy is overstated: give them one group.',
    ),
}


def _galleries(
    names: Mapping[str, Sequence[str]], drawn: Mapping[str, Picture], has_folds: bool
) -> tuple[Gallery, ...]:
    titles = {**_TITLES, **(_TITLES_IN_FOLDS if has_folds else {})}
    return tuple(
        Gallery(name, *titles[name], tuple(i for i in members if i in drawn))
        for name, members in names.items()
    )
