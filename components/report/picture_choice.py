"""Which images the page shows: few enough for one file, the telling ones first."""

from __future__ import annotations

import collections
import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from thawline.components.evaluation.metrics import Answers

# Pictures in all; with their overlays they stay below 15 MB (`pictures.SIDE`).
MOST = 600
LABELS = 24  # of the suspicious labels
_GALLERY = 16
_PER_CELL = 8


@dataclasses.dataclass(frozen=True)
class PictureChoice:
    """Rows of the predictions, each the best first.

    Attributes:
        mistakes: wrong answers with the highest scores, of each split.
        uncertain: right answers with the lowest scores, of each split.
        cells: some of every cell of the confusion matrix, wrong answers before right ones.
    """

    mistakes: tuple[int, ...]
    uncertain: tuple[int, ...]
    cells: tuple[int, ...]


def choose(answers: Answers, splits: np.ndarray, ids: np.ndarray) -> PictureChoice:
    """Chooses among the labelled images of all splits that have an answer.

    Args:
        answers: of N images.
        splits: str [N].
        ids: str [N], for an order among equals.
    """
    wrong = np.lexsort((ids, -answers.scores))
    wrong = wrong[(answers.has_answer & ~answers.hits)[wrong]]
    right = np.lexsort((ids, answers.scores))
    right = right[answers.hits[right]]
    names = list(dict.fromkeys(splits.tolist()))

    def of_each(rows: np.ndarray) -> tuple[int, ...]:
        return tuple(int(r) for name in names for r in rows[splits[rows] == name][:_GALLERY])

    # Sure answers stand for a cell of right ones too, hence from the end.
    cells = [*_round_robin(answers, splits, wrong), *_round_robin(answers, splits, right[::-1])]
    return PictureChoice(of_each(wrong), of_each(right), tuple(cells))


def _round_robin(answers: Answers, splits: np.ndarray, rows: np.ndarray) -> list[int]:
    """One of each cell, the fullest first, then a second of each, and so on."""
    cells: dict[tuple[str, int, int], list[int]] = collections.defaultdict(list)
    for row in rows.tolist():
        if answers.labels[row] >= 0:
            key = (str(splits[row]), int(answers.labels[row]), int(answers.answers[row]))
            cells[key].append(row)
    fullest = sorted(cells.values(), key=lambda members: -len(members))
    turns = itertools.zip_longest(*(members[:_PER_CELL] for members in fullest))
    return [row for turn in turns for row in turn if row is not None]


def fill_page(
    first: Sequence[str], then: Sequence[str], neighbours: Mapping[str, Sequence[str]], most: int
) -> tuple[dict[str, None], set[str]]:
    """Fills the page up to `most` pictures.

    Args:
        first: ids of images that are shown with their neighbours.
        then: ids of further images; their neighbours come last.
        neighbours: of every one of them, ids.
        most: how many pictures there may be.

    Returns:
        (ids of all pictures, in order; ids of those that have their neighbours with them).
    """
    pictures: dict[str, None] = {}
    accompanied = set()

    def add(names: Sequence[str]) -> bool:
        new = [name for name in dict.fromkeys(names) if name not in pictures]
        fits = len(pictures) + len(new) <= most
        if fits:
            pictures.update(dict.fromkeys(new))
        return fits

    for name in first:
        if add([name, *neighbours.get(name, ())]):
            accompanied.add(name)
    for name in then:
        add([name])
    for name in then:
        if name in pictures and add(list(neighbours.get(name, ()))):
            accompanied.add(name)
    return pictures, accompanied
