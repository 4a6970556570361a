"""Out-of-fold answers of the probe: what each is made of, and what ships."""

from __future__ import annotations

import numpy as np
import pytest

from thawline.components.shared.errors import DataError
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import cross_fitting, decision_threshold, params, probe

SETTINGS = params.Training(mode='probe')
NAMES = ('cat', 'dog', 'owl')


def features(n: int = 60, classes: int = 3, noise: float = 1.0, views: int = 1) -> LabelledSet:
    rng = np.random.default_rng(n)
    labels = np.arange(n) % classes
    means = 2.0 * np.eye(classes, 8)
    values = means[labels][:, None] + noise * rng.normal(size=(n, views, 8))
    ids = np.array([f'{row:06d}'.encode() for row in range(n)], object)
    return LabelledSet(values.astype(np.float32), labels, ids)


def test_the_turns_judge_and_choose_every_image_once_and_never_train_on_either() -> None:
    fold = np.repeat([4, 1, 7, 2], 5)
    turns = list(cross_fitting.rotate(fold))
    assert [turn.fold for turn in turns] == [1, 2, 4, 7]
    for turn, chooser in zip(turns, (2, 4, 7, 1), strict=True):
        assert set(fold[turn.judge]) == {turn.fold} and set(fold[turn.choose]) == {chooser}
        assert set(fold[turn.train]) == {1, 2, 4, 7} - {turn.fold, chooser}
    for rows in ([t.judge for t in turns], [t.choose for t in turns]):
        assert sorted(np.concatenate(rows)) == list(range(20))


@pytest.mark.parametrize('folds', [1, 2])
def test_fewer_than_three_folds_are_refused(folds: int) -> None:
    with pytest.raises(DataError, match=f'have {folds}'):
        list(cross_fitting.rotate(np.arange(20) % folds))


def test_an_answer_is_that_of_a_probe_of_the_other_folds_by_the_choice_of_the_next() -> None:
    data, fold = features(), np.arange(60) // 3 % 4
    fitted = cross_fitting.fit_probe(data, fold, NAMES, SETTINGS)
    for turn in cross_fitting.rotate(fold):
        plain = [data.take(rows) for rows in (turn.train, turn.choose, turn.judge)]
        train, choose, judge = ((each.values[:, 0], each.labels) for each in plain)
        head = probe.fit(*train, *choose, classes=3)
        rule, _ = decision_threshold.decide(
            head.logits(choose[0]), choose[1], NAMES, SETTINGS.decision
        )
        expected = rule.probabilities(head.logits(judge[0]))
        np.testing.assert_allclose(fitted.answers.probabilities[turn.judge], expected)
        assert (fitted.answers.answers[turn.judge] == expected.argmax(axis=1)).all()
        (record,) = (each for each in fitted.folds if each.fold == turn.fold)
        assert record.c == head.c and record.judged.n == len(turn.judge)
        assert record.judged.accuracy == (expected.argmax(axis=1) == judge[1]).mean()


def test_no_answer_depends_on_the_image_or_on_others_of_its_fold() -> None:
    """Labels and pixels of a fold are changed; the answers to it follow its own pixels alone."""
    data, fold = features(noise=2.0), np.arange(60) // 3 % 5
    before = cross_fitting.fit_probe(data, fold, NAMES, SETTINGS).answers
    mine = fold == 2
    changed = LabelledSet(data.values, np.where(mine, (data.labels + 1) % 3, data.labels), data.ids)
    after = cross_fitting.fit_probe(changed, fold, NAMES, SETTINGS).answers
    np.testing.assert_array_equal(before.probabilities[mine], after.probabilities[mine])
    assert (before.probabilities[~mine] != after.probabilities[~mine]).any()


def test_what_ships_is_fitted_to_all_images_with_what_all_folds_chose() -> None:
    data, fold = features(noise=2.0), np.arange(60) // 3 % 5
    fitted = cross_fitting.fit_probe(data, fold, NAMES, SETTINGS)
    best = probe.L2_PATH.index(fitted.head.c)
    *_, head = probe.path(data.values[:, 0], data.labels, 3, strengths=probe.L2_PATH[: best + 1])
    np.testing.assert_array_equal(head.kernel, fitted.head.kernel)
    assert fitted.learnt.all() and fitted.choosing.shape == (60, 3)


def test_a_class_in_one_fold_is_missed_and_harms_no_other() -> None:
    data = features(noise=0.5)
    fold = np.arange(60) // 3 % 4
    fold[data.labels == 2] = 3
    fitted = cross_fitting.fit_probe(data, fold, NAMES, SETTINGS)
    hits = fitted.answers.answers == data.labels
    assert not hits[data.labels == 2].any()  # whoever judges it has not learned it
    assert hits[data.labels < 2].mean() > 0.8
    # Where it chose, the weights had not learned it either in the turn that judged fold 2.
    assert not fitted.learnt[data.labels == 2].any() and fitted.learnt[data.labels < 2].all()
    # What ships knows it.
    shipped = fitted.head.logits(data.values[:, 0]).argmax(axis=1) == data.labels
    assert shipped[data.labels == 2].mean() > 0.8


def test_one_image_a_class_beside_another_class() -> None:
    data = features(31, classes=2)
    labels = np.zeros(31, np.int64)
    labels[5] = 1
    fold = np.arange(31) % 5
    rare = LabelledSet(data.values, labels, data.ids)
    fitted = cross_fitting.fit_probe(rare, fold, NAMES[:2], SETTINGS)
    assert np.isfinite(fitted.answers.probabilities).all()
    assert fitted.answers.answers[5] == 0  # nobody had learned it


def test_all_views_train_and_the_plain_one_is_answered() -> None:
    data, fold = features(views=3), np.arange(60) // 3 % 4
    fitted = cross_fitting.fit_probe(data, fold, NAMES, SETTINGS)
    (turn, *_) = cross_fitting.rotate(fold)
    train = data.take(turn.train)
    heads = probe.path(train.values.reshape(-1, 8), np.repeat(train.labels, 3), 3)
    logits = [head.logits(data.values[turn.judge, 0]) for head in heads]
    answers = {tuple(each.argmax(axis=1)) for each in logits}
    assert tuple(fitted.answers.answers[turn.judge]) in answers


@pytest.mark.parametrize('aim', ['accuracy', 'f1'])
def test_thresholds_are_chosen_by_the_next_fold(aim: str) -> None:
    data, fold = features(80, 2, noise=3.0), np.arange(80) // 2 % 4
    decision = params.Decision.model_validate({'aim': aim, 'positive': 'dog'})
    settings = SETTINGS.model_copy(update={'decision': decision})
    fitted = cross_fitting.fit_probe(data, fold, NAMES[:2], settings)
    chances = fitted.answers.probabilities[:, 1]
    for name in range(4):
        rows = fold == name
        answered = fitted.answers.answers[rows] == 1
        if answered.any() and not answered.all():  # one threshold a fold
            assert chances[rows][answered].min() > chances[rows][~answered].max()


def test_parts_of_val_keep_clusters_whole() -> None:
    labels = np.arange(60) % 3
    clusters = np.array([f'c{row // 6}' for row in range(60)])
    parts = cross_fitting.parts_of_val(labels, clusters)
    assert len(np.unique(parts)) == 5
    for cluster in np.unique(clusters):
        assert len(np.unique(parts[clusters == cluster])) == 1
    assert (cross_fitting.parts_of_val(labels, np.array(['one'] * 60)) == 0).all()
