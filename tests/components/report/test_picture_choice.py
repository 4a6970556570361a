"""Which images are shown, and that they fit."""

from __future__ import annotations

import numpy as np

from thawline.components.evaluation.metrics import Answers
from thawline.components.report import metrics, picture_choice


def some(n: int, classes: int, seed: int = 0) -> tuple[Answers, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels, answers = rng.integers(0, classes, n), rng.integers(0, classes, n)
    scores = rng.random(n, np.float32).round(2)
    splits = np.where(np.arange(n) % 2, 'val', 'test')
    found = Answers(labels, answers, scores, np.zeros((n, classes), np.float32))
    return found, splits, np.array([f'{i:05d}' for i in range(n)])


def test_mistakes_are_the_surest_and_hits_the_least_sure_of_each_split() -> None:
    answers, splits, ids = some(400, 3)
    shown = picture_choice.choose(answers, splits, ids)
    for rows, right, sign in ((shown.mistakes, False, -1), (shown.uncertain, True, 1)):
        for split in ('val', 'test'):
            mine = [row for row in rows if splits[row] == split]
            every = np.flatnonzero((answers.hits == right) & (splits == split))
            expected = sorted(every, key=lambda row: (sign * answers.scores[row], ids[row]))
            assert mine == expected[:16]


def test_cells_take_turns_and_mistakes_come_first() -> None:
    answers, splits, ids = some(400, 3)
    cells = picture_choice.choose(answers, splits, ids).cells
    wrong = [row for row in cells if not answers.hits[row]]
    assert list(cells[: len(wrong)]) == wrong
    first = wrong[: 2 * 6]
    keys = {(splits[r], answers.labels[r], answers.answers[r]) for r in first}
    assert len(keys) == 12, 'one picture of each cell before a second of any'
    for row in first:
        same = (answers.labels == answers.labels[row]) & (answers.answers == answers.answers[row])
        assert answers.scores[row] == answers.scores[same & (splits == splits[row])].max()


def test_unknown_classes_are_in_no_cell() -> None:
    answers, splits, ids = some(20, 2)
    unknown = Answers(np.full(20, -1), answers.answers, answers.scores, answers.probabilities)
    shown = picture_choice.choose(unknown, splits, ids)
    assert shown.cells == () and len(shown.mistakes) == 20 and shown.uncertain == ()


def test_images_without_an_answer_are_not_chosen() -> None:
    answers, splits, ids = some(40, 2)
    broken = np.arange(40) < 10
    answers.answers[broken], answers.scores[broken] = metrics.NO_ANSWER, np.nan
    shown = picture_choice.choose(answers, splits, ids)
    chosen = {*shown.mistakes, *shown.uncertain, *shown.cells}
    assert chosen and not chosen & set(range(10))
    answers.answers[:], answers.scores[:] = metrics.NO_ANSWER, np.nan
    assert picture_choice.choose(answers, splits, ids) == picture_choice.PictureChoice((), (), ())


def test_pictures_come_with_their_neighbours_while_there_is_room() -> None:
    alike = {'a': ['x', 'y'], 'b': ['y', 'z'], 'c': ['v', 'w'], 'd': ['x']}
    names, accompanied = picture_choice.fill_page(['a', 'b'], ['c', 'd', 'a'], alike, most=20)
    assert list(names) == ['a', 'x', 'y', 'b', 'z', 'c', 'd', 'v', 'w']
    assert accompanied == set('abcd')
    names, accompanied = picture_choice.fill_page(['a', 'b'], ['c', 'd'], alike, most=7)
    assert list(names) == ['a', 'x', 'y', 'b', 'z', 'c', 'd']
    assert accompanied == set('abd'), 'no room for those of c; that of d is there anyway'
    names, accompanied = picture_choice.fill_page(['a', 'b'], ['c'], alike, most=4)
    assert list(names) == ['a', 'x', 'y', 'c'] and accompanied == {'a'}


def test_fifty_thousand_images_of_five_hundred_classes() -> None:
    answers, splits, ids = some(15_000, 500)
    shown = picture_choice.choose(answers, splits, ids)
    neighbours = {str(ids[r]): [f'n{r}-{i}' for i in range(3)] for r in range(15_000)}
    first = [str(ids[r]) for r in (*shown.mistakes, *shown.uncertain)]
    then = [str(ids[r]) for r in shown.cells]
    names, accompanied = picture_choice.fill_page(first, then, neighbours, picture_choice.MOST)
    assert len(names) <= picture_choice.MOST
    assert set(first) <= accompanied
