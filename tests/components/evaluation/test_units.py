"""What the images of a unit answer together."""

from __future__ import annotations

import numpy as np
import pytest

from thawline.components.evaluation import units
from thawline.components.evaluation.gate.params import Gate
from thawline.components.evaluation.metrics import NO_ANSWER, Answers
from thawline.components.evaluation.units import Joining
from thawline.components.saved_model.decision_rule import Rule
from thawline.components.shared.errors import ConfigError, DataError

NAN = float('nan')


def answers(
    labels: list[int], probabilities: list[list[float]], rule: Rule | None = None
) -> Answers:
    chances = np.array(probabilities, np.float32)
    served = (rule or Rule()).chosen(np.nan_to_num(chances))
    scores = np.take_along_axis(chances, served[:, None], axis=1)[:, 0]
    return Answers.from_served(np.array(labels), served, scores, chances)


# Two images of b, both just for class 0, and one sure of class 1; a is alone.
SOME = answers([0, 1, 1, 1], [[0.7, 0.3], [0.6, 0.4], [0.6, 0.4], [0.0, 1.0]])
NAMES = np.array(['a', 'b', 'b', 'b'])


@pytest.mark.parametrize(
    ('joining', 'expected'),
    [
        (Joining('mean', 0.5, 0), [0, 1]),
        (Joining('majority', 0.5, 0), [0, 0]),
        (Joining('any', 0.5, 0, sign=1), [0, 1]),
        (Joining('any', 0.5, 0, sign=0), [0, 0]),
        # The model's own threshold holds for the mean: 0.4 of class 0 is enough for it.
        (Joining('mean', 0.4, 0), [0, 0]),
        (Joining('mean', 0.25, 1), [1, 1]),
    ],
)
def test_join(joining: Joining, expected: list[int]) -> None:
    joined = units.join(SOME, NAMES, joining)
    assert joined.labels.tolist() == [0, 1] and joined.answers.tolist() == expected
    np.testing.assert_allclose(joined.probabilities, [[0.7, 0.3], [0.4, 0.6]], atol=1e-6)
    scores = [joined.probabilities[row, answer] for row, answer in enumerate(expected)]
    assert joined.scores.tolist() == scores
    # The order of the images does not matter.
    back = Answers(
        *(part[::-1] for part in (SOME.labels, SOME.answers, SOME.scores, SOME.probabilities))
    )
    assert units.join(back, NAMES[::-1], joining).answers.tolist() == expected


@pytest.mark.parametrize('by', ['mean', 'majority'])
def test_one_image_a_unit_is_the_image(by: str) -> None:
    rng = np.random.default_rng(0)
    some = answers(rng.integers(0, 4, 50).tolist(), rng.dirichlet(np.ones(4), 50).tolist())
    joined = units.join(some, np.array([f'{n:02}' for n in range(50)]), Joining(by, 0.5, 0))
    assert joined.answers.tolist() == some.answers.tolist()
    assert joined.hits.tolist() == some.hits.tolist()
    empty = some.take(np.zeros(50, bool))
    assert len(units.join(empty, np.zeros(0, str), Joining(by, 0.5, 0))) == 0


def test_of_equally_many_votes_the_more_probable_class_wins() -> None:
    some = answers([0, 0], [[0.55, 0.45, 0.0], [0.0, 0.1, 0.9]])
    joined = units.join(some, np.array(['a', 'a']), Joining('majority', 0.5, 0))
    assert joined.answers.tolist() == [2]


def test_images_without_numbers() -> None:
    some = answers([1, 1, 1], [[NAN, NAN], [0.2, 0.8], [0.2, 0.8]])
    names = np.array(['a', 'a', 'a'])
    assert units.join(some, names, Joining('mean', 0.5, 0)).answers.tolist() == [NO_ANSWER]
    assert units.join(some, names, Joining('majority', 0.5, 0)).answers.tolist() == [1]
    assert units.join(some, names, Joining('any', 0.5, 0, 1)).answers.tolist() == [1]
    nothing = answers([1, 0], [[NAN, NAN], [NAN, 0.5]])
    for by in ('mean', 'majority', 'any'):
        joined = units.join(nothing, np.array(['a', 'b']), Joining(by, 0.5, 0, 1))
        assert not joined.hits.any()


def test_a_unit_of_two_labels_is_named() -> None:
    some = answers([0, 1, 1], [[0.7, 0.3]] * 3)
    with pytest.raises(DataError, match=r"images of 'leaf' have several.*gate.unit: image"):
        units.join(some, np.array(['leaf', 'leaf', 'stone']), Joining('mean', 0.5, 0))


def test_joining_follows_the_settings() -> None:
    rule = Rule(threshold=0.3, positive=1)
    assert Joining.of(Gate(), rule, ('x', 'y')) is None
    assert Joining.of(Gate(unit='group'), rule, ('x', 'y')) == Joining('mean', 0.3, 1)
    by_any = Gate(unit='group', joined_by='any', positive='y')
    assert Joining.of(by_any, Rule(), ('x', 'y')) == Joining('any', 0.5, 0, 1)
    for classes in (('x', 'z'), ('x', 'y', 'z')):
        with pytest.raises(ConfigError, match="two classes.*Received: positive 'y', classes x"):
            Joining.of(by_any, Rule(), classes)
