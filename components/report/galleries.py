"""The pictures of the page and the galleries they hang in."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from thawline.components.evaluation.metrics import Answers
from thawline.components.evaluation.predictions import Predictions
from thawline.components.report import metrics, picture_choice, pictures, similarity
from thawline.components.report.content import ConfusionCell, Gallery, Neighbour, Picture
from thawline.components.report.data_card import TRAIN
from thawline.components.report.pictures import ExampleScan
from thawline.components.report.similarity import ImageEmbeddings, Suspect
from thawline.components.shared import progress

_NEIGHBOURS = 3

Explain = Callable[[Sequence[bytes], Sequence[int]], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Album:
    """All pictures by id, the galleries, and what was seen on the way.

    Attributes:
        cells: split -> cells of its confusion matrix that have an image.
        scan: of the examples.
        missing: how many pictures are no longer there.
    """

    pictures: dict[str, Picture]
    galleries: tuple[Gallery, ...]
    cells: dict[str, tuple[ConfusionCell, ...]]
    scan: ExampleScan
    missing: int


def build_album(
    predictions: Predictions,
    answers: Answers,
    rows: np.ndarray,
    embedded: ImageEmbeddings,
    suspects: Sequence[Suspect],
    files: Mapping[str, Sequence[str]],
    explain: Explain,
    resize: str,
) -> Album:
    """Chooses the images, finds their neighbours, draws them.

    Args:
        predictions: of all evaluated images.
        answers: those with a label.
        rows: int64 [N], which rows of `predictions` these are.
        embedded: features of the labelled images of all splits.
        suspects: labels that may be wrong, the most suspicious first.
        files: split -> examples.
        explain: heat of encoded images for a class each; see `saliency.Explainer`.
        resize: how the model's square is made of an image.
    """
    ids, splits = predictions.ids[rows], predictions.splits[rows]
    row_of = {str(name): i for i, name in enumerate(ids)}
    chosen = picture_choice.choose(answers, splits, ids)
    doubted = {str(embedded.ids[s.row]): s for s in suspects[: picture_choice.LABELS]}
    first = [*(str(ids[r]) for r in (*chosen.mistakes, *chosen.uncertain)), *doubted]
    then = [str(ids[r]) for r in chosen.cells[: picture_choice.MOST]]
    alike = _neighbours(embedded, list(dict.fromkeys([*first, *then])))
    names, accompanied = picture_choice.fill_page(
        first,
        then,
        {name: [n.picture for n in found] for name, found in alike.items()},
        picture_choice.MOST,
    )
    progress.start('pictures for the report', len(names))
    scan = pictures.scan_examples(files, names)
    answered = {str(name) for name in ids[answers.has_answer]}
    explained = [name for name in names if name in answered and name in scan.images]
    heat = _heat(explain, explained, scan, [answers.answers[row_of[name]] for name in explained])
    drawn = {}
    for name in names:
        row = row_of.get(name)
        note = _note(doubted[name], predictions.classes) if name in doubted else ''
        picture = _picture(name, row, rows, answers, predictions, scan.images.get(name), note)
        beside = tuple(alike.get(name, ())) if name in accompanied else ()
        if name in heat:
            size = pictures.thumbnail_size(scan.images[name].encoded)
            over = pictures.overlay(heat[name], size, resize)
            picture = dataclasses.replace(picture, overlay=over)
        drawn[name] = dataclasses.replace(picture, neighbours=beside)
        progress.advance()
    galleries = _galleries(
        {
            'mistakes': [str(ids[r]) for r in chosen.mistakes],
            'uncertain': [str(ids[r]) for r in chosen.uncertain],
            'labels': list(doubted),
        },
        drawn,
    )
    cells = {str(s): _cells(answers, splits == s, ids, drawn) for s in np.unique(splits)}
    missing = sum(not picture.thumbnail for picture in drawn.values())
    return Album(drawn, galleries, cells, scan, missing)


def _neighbours(embedded: ImageEmbeddings, names: Sequence[str]) -> dict[str, list[Neighbour]]:
    """The most alike training images of each, itself excepted."""
    place = {str(name): row for row, name in enumerate(embedded.ids)}
    known = [name for name in names if name in place]
    train = np.flatnonzero(embedded.splits == TRAIN)
    cosines, found = similarity.nearest(
        embedded.features[[place[name] for name in known]],
        embedded.features[train],
        _NEIGHBOURS + 1,
    )
    train_ids = embedded.ids[train]
    return {
        name: [
            Neighbour(str(train_ids[row]), float(cosine))
            for cosine, row in zip(of_one, rows, strict=True)
            if train_ids[row] != name
        ][:_NEIGHBOURS]
        for name, of_one, rows in zip(known, cosines, found, strict=True)
    }


def _heat(
    explain: Explain, names: Sequence[str], scan: ExampleScan, classes: Sequence[int]
) -> dict[str, np.ndarray]:
    """Of each image whose heat is a number everywhere: slopes can overflow where answers do not."""
    if not names:
        return {}
    maps = explain([scan.images[name].encoded for name in names], classes)
    found = zip(names, maps, strict=True)
    return {name: heat for name, heat in found if np.isfinite(heat).all()}


def _picture(
    name: str,
    row: int | None,
    rows: np.ndarray,
    answers: Answers,
    predictions: Predictions,
    source: pictures.IngestedImage | None,
    note: str,
) -> Picture:
    """Without its overlay and neighbours; `row` is None for an image that was not evaluated."""
    path, split, label = (source.path, source.split, source.label) if source else ('', TRAIN, '')
    answer = score = None
    if row is not None:
        position = int(answers.labels[row])
        path, split = str(predictions.paths[rows[row]]), str(predictions.splits[rows[row]])
        label = predictions.classes[position] if position >= 0 else label
        if answers.answers[row] != metrics.NO_ANSWER:
            answer = predictions.classes[int(answers.answers[row])]
            score = float(answers.scores[row])
    thumbnail = pictures.thumbnail(source.encoded) if source else ''
    return Picture(name, path, split, label, answer, score, thumbnail, '', (), note)


def _note(suspect: Suspect, classes: Sequence[str]) -> str:
    return (
        f'{suspect.votes} of the {suspect.of} most alike images are {classes[suspect.suggested]}; '
        f'margin {suspect.margin:.2f}'
    )


def _cells(
    answers: Answers, mine: np.ndarray, ids: np.ndarray, drawn: Mapping[str, Picture]
) -> tuple[ConfusionCell, ...]:
    """Of one split, the fullest first, with those of their images that are shown."""
    found: dict[tuple[int, int], list[int]] = {}
    for row in np.flatnonzero(mine & (answers.labels >= 0) & answers.has_answer).tolist():
        found.setdefault((int(answers.labels[row]), int(answers.answers[row])), []).append(row)
    cells = []
    for (label, answer), members in found.items():
        shown = [row for row in members if str(ids[row]) in drawn]
        shown.sort(key=lambda row: -answers.scores[row])
        cells.append(
            ConfusionCell(label, answer, len(members), tuple(str(ids[row]) for row in shown))
        )
    return tuple(sorted(cells, key=lambda cell: (-cell.count, cell.label, cell.answer)))


_TITLES = {
    'mistakes': (
        'Most confident mistakes',
        'Wrong answers with the highest scores: wrong labels, unusual images, or what the model '
        'has yet to learn.',
    ),
    'uncertain': (
        'Least certain hits',
        'Right answers with the lowest scores: the next images like these may be answered wrongly.',
    ),
    'labels': (
        'Suspicious labels',
        'Images whose most alike images have another label, and for those that were not trained '
        'on the model too finds another class more probable. Worth a look by somebody who knows.',
    ),
}


def _galleries(
    names: Mapping[str, Sequence[str]], drawn: Mapping[str, Picture]
) -> tuple[Gallery, ...]:
    return tuple(
        Gallery(name, *_TITLES[name], tuple(i for i in members if i in drawn))
        for name, members in names.items()
    )
