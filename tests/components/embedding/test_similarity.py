"""Neighbours of points whose neighbours are known."""

from __future__ import annotations

import numpy as np
import pytest

from thawline.components.embedding import similarity


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


def test_copies_do_not_hide_an_image_from_its_neighbours() -> None:
    """Many images with the same features: whichever comes first, none is its own neighbour."""
    cosines, rows = similarity.neighbours(np.ones((15, 4), np.float32), 10)
    assert cosines.shape == rows.shape == (15, 10) and cosines.min() > 0.999
    assert all(row not in others and len(set(others)) == 10 for row, others in enumerate(rows))


def test_an_only_image_has_no_neighbours() -> None:
    assert similarity.neighbours(np.ones((1, 4), np.float32), 10)[1].shape == (1, 0)


def test_many_images_are_compared_in_their_main_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 60)
    features = 10 * np.eye(3, 200)[labels] + rng.normal(0, 0.5, (180, 200))
    exact = similarity.principal_directions(features)
    assert exact is features
    monkeypatch.setattr(similarity, '_EXACT_IMAGES', 100)
    monkeypatch.setattr(similarity, '_DIRECTIONS', 8)
    directions = similarity.principal_directions(features)
    assert directions.shape == (180, 8)
    _, rows = similarity.neighbours(directions, 10)
    assert (labels[rows] == labels[:, None]).all()
