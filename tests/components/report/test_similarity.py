"""Neighbours and suspicious labels on points whose neighbours are known."""

from __future__ import annotations

import numpy as np
import pytest

from thawline.components.report import similarity
from thawline.components.report.similarity import ImageEmbeddings


def clusters(each: int, classes: int, dimension: int = 16, seed: int = 0) -> ImageEmbeddings:
    """A tight cluster a class, far from each other; splits in turn."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    centres = 10 * np.eye(classes, dimension)
    features = centres[labels] + rng.normal(0, 0.5, (len(labels), dimension))
    splits = np.array(['train', 'train', 'val', 'test'])[np.arange(len(labels)) % 4]
    ids = np.array([f'{i:05d}' for i in range(len(labels))])
    return ImageEmbeddings(ids, splits, labels, features.astype(np.float32))


def test_nearest_are_those_of_the_cosine() -> None:
    rng = np.random.default_rng(0)
    features, among = rng.normal(size=(7, 5)), rng.normal(size=(30, 5)) * rng.uniform(1, 9, (30, 1))
    cosines, rows = similarity.nearest(features.astype(np.float32), among.astype(np.float32), 4)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    other = among / np.linalg.norm(among, axis=1, keepdims=True)
    expected = unit @ other.T
    np.testing.assert_array_equal(rows, np.argsort(-expected, axis=1)[:, :4])
    np.testing.assert_allclose(cosines, -np.sort(-expected, axis=1)[:, :4], atol=1e-5)


def test_fewer_than_asked_for_and_none() -> None:
    one = np.ones((1, 3), np.float32)
    assert similarity.nearest(one, one, 5)[1].tolist() == [[0]]
    assert similarity.nearest(one, one[:0], 5)[0].shape == (1, 0)
    assert similarity.nearest(one[:0], one, 5)[0].shape == (0, 0)


def test_a_clean_set_has_no_suspects() -> None:
    assert similarity.suspects(clusters(12, 3), 3) == ()


def test_flipped_labels_are_found_with_the_class_that_is_right() -> None:
    clean = clusters(30, 3)
    labels = clean.labels.copy()
    wrong = [2, 31, 65]
    labels[wrong] = (labels[wrong] + 1) % 3
    found = similarity.suspects(ImageEmbeddings(clean.ids, clean.splits, labels, clean.features), 3)
    assert sorted(s.row for s in found) == wrong
    for each in found:
        assert each.suggested == clean.labels[each.row]
        assert each.votes >= 8 and each.of == similarity.NEIGHBOURS
        assert -1 <= each.margin < -0.7
    assert [s.margin for s in found] == sorted(s.margin for s in found)


def test_the_model_speaks_where_it_was_not_trained_on_the_image() -> None:
    """Its own class has a share of the votes; the model decides."""
    embedded = clusters(12, 2)
    rows = np.array([3, 7])
    sure, against = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    agree = np.stack([sure, sure]).astype(np.float32)
    assert similarity.suspects(embedded, 2, agree, rows) == ()
    split = np.stack([sure, against]).astype(np.float32)
    # Neighbours and model cancel each other: not more probable, hence not suspicious.
    assert similarity.suspects(embedded, 2, split, rows) == ()
    labels = embedded.labels.copy()
    labels[7] = 1
    flipped = ImageEmbeddings(embedded.ids, embedded.splits, labels, embedded.features)
    (found,) = similarity.suspects(flipped, 2, agree, rows)
    assert found.row == 7 and found.suggested == 0 and found.margin == pytest.approx(-1)


def test_copies_do_not_hide_an_image_from_its_neighbours() -> None:
    """Many images with the same features: whichever comes first, none votes for itself."""
    features = np.ones((15, 4), np.float32)
    labels = np.array([1] + [0] * 14)
    ids = np.array([f'{i:02d}' for i in range(15)])
    found = similarity.suspects(ImageEmbeddings(ids, np.full(15, 'train'), labels, features), 2)
    assert [s.row for s in found] == [0] and found[0].votes == similarity.NEIGHBOURS


def test_unknown_classes_and_too_few_images() -> None:
    some = clusters(12, 2)
    labels = np.where(np.arange(24) < 2, -1, some.labels)
    unknown = ImageEmbeddings(some.ids, some.splits, labels, some.features)
    assert similarity.suspects(unknown, 2) == ()
    assert similarity.suspects(some.take(np.arange(1)), 2) == ()


def test_many_images_are_compared_in_their_main_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    clean = clusters(60, 3, dimension=200)
    labels = clean.labels.copy()
    labels[[5, 100]] = (labels[[5, 100]] + 1) % 3
    noisy = ImageEmbeddings(clean.ids, clean.splits, labels, clean.features)
    exact = {s.row for s in similarity.suspects(noisy, 3)}
    monkeypatch.setattr(similarity, '_EXACT_IMAGES', 100)
    monkeypatch.setattr(similarity, '_DIRECTIONS', 8)
    assert {s.row for s in similarity.suspects(noisy, 3)} == exact == {5, 100}
