"""Chooses the images that the page shows: few enough for one file, the most informative first."""

from __future__ import annotations

import collections
import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from thawline.components.evaluation.metrics import Answers

# On the page; with their overlays they stay below 15 MB (`pictures.SIDE`).
MOST = 600
LABELS = 24  # of the suspicious labels
_GALLERY = 16
_PER_CELL = 8


@dataclasses.dataclass(frozen=True)
class PictureChoice:
    """Rows of the predictions, the best of each kind first.

    Attributes:
        mistakes: wrong answers with the highest scores, of each split.
        uncertain: correct answers with the lowest scores, of each split.
        cells: some of every cell of the confusion matrix, wrong answers first.
    """

    mistakes: tuple[int, ...]
    uncertain: tuple[int, ...]
    cells: tuple[int, ...]


def choose(answers: Answers, splits: np.ndarray, ids: np.ndarray) -> PictureChoice:
    """Chooses among the labelled images of all splits that have an answer.

    Args:
        answers: of N images.
        splits: str [N].
        ids: str [N], to order equal scores.
    """
    wrong = np.lexsort((ids, -answers.scores))
    wrong = wrong[(answers.has_answer & ~answers.hits)[wrong]]
    right = np.lexsort((ids, answers.scores))
    right = right[answers.hits[right]]
    names = list(dict.fromkeys(splits.tolist()))

    def of_each(rows: np.ndarray) -> tuple[int, ...]:
        return tuple(int(r) for name in names for r in rows[splits[rows] == name][:_GALLERY])

    # Confident answers represent a cell of correct ones too, hence from the end.
    cells = [*_round_robin(answers, splits, wrong), *_round_robin(answers, splits, right[::-1])]
    return PictureChoice(of_each(wrong), of_each(right), tuple(cells))


def _round_robin(answers: Answers, splits: np.ndarray, rows: np.ndarray) -> list[int]:
    """One image of each cell, the largest cell first, then a second of each, and so on."""
    cells: dict[tuple[str, int, int], list[int]] = collections.defaultdict(list)
    for row in rows.tolist():
        if answers.labels[row] >= 0:
            key = (str(splits[row]), int(answers.labels[row]), int(answers.answers[row]))
            cells[key].append(row)
    largest = sorted(cells.values(), key=lambda members: -len(members))
    turns = itertools.zip_longest(*(members[:_PER_CELL] for members in largest))
    return [row for turn in turns for row in turn if row is not None]


def fill_page(
    first: Sequence[str], then: Sequence[str], neighbours: Mapping[str, Sequence[str]], most: int
) -> tuple[dict[str, None], set[str]]:
    """Fills the page up to `most` pictures.

    Args:
        first: ids of images to show with their neighbours.
        then: ids of further images; their neighbours come last.
        neighbours: ids of the neighbours of each.
        most: limit of pictures.

    Returns:
        The ids of all pictures in order, and the ids of those shown with their neighbours.
    """
    pictures: dict[str, None] = {}
    with_neighbours = set()

    def add(names: Sequence[str]) -> bool:
        new = [name for name in dict.fromkeys(names) if name not in pictures]
        fits = len(pictures) + len(new) <= most
        if fits:
            pictures.update(dict.fromkeys(new))
        return fits

    for name in first:
        if add([name, *neighbours.get(name, ())]):
            with_neighbours.add(name)
    for name in then:
        add([name])
    for name in then:
        if name in pictures and add(list(neighbours.get(name, ()))):
            with_neighbours.add(name)
    return pictures, with_neighbours
