"""The same functions inside TensorFlow Transform on Beam: one graph, equal to eager execution."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from tests.components import transformed as making
from tests.components.transformed import CLASSES, RESIZE, SIZE, Row, Transformed
from thawline.components.training import training_images
from thawline.components.transform import preprocessing


def eager(rows: tuple[Row, ...]) -> dict[bytes, tuple[np.ndarray, int]]:
    """Pixels and class index of each image by its id."""
    pixels = preprocessing.pixels_from_bytes(tf.constant([r.image for r in rows]), SIZE, RESIZE)
    return {
        row.image_id.encode(): (one, CLASSES.index(row.label))
        for row, one in zip(rows, pixels.numpy(), strict=True)
    }


def test_examples_equal_the_eager_function_bit_for_bit(transformed: Transformed) -> None:
    expected = eager(transformed.rows)
    stored = {}
    for folder in transformed.examples.values():
        loaded = training_images.load([f'{folder}/*.gz'], SIZE)
        assert loaded.ids.tolist() == sorted(loaded.ids)
        stored.update(
            {
                image_id: (pixels, int(label))
                for image_id, pixels, label in zip(
                    loaded.ids, loaded.values, loaded.labels, strict=True
                )
            }
        )
    assert stored.keys() == expected.keys()
    for image_id, (pixels, label) in expected.items():
        np.testing.assert_array_equal(stored[image_id][0], pixels)
        assert stored[image_id][1] == label


def test_vocabulary_file_has_the_same_names(transformed: Transformed) -> None:
    names = transformed.output.vocabulary_by_name(preprocessing.CLASSES_FILE)
    assert sorted(name.decode() for name in names) == sorted(CLASSES)


def test_saved_graph_gives_the_same_answers(transformed: Transformed) -> None:
    rows = transformed.rows[:3]
    layer = transformed.output.transform_features_layer()
    stranger = Row(rows[0].image, 'never seen', 'x')
    raw = {
        name: tf.constant([[getattr(row, name)] for row in (*rows, stranger)])
        for name in making.FEATURES
    }
    outputs = layer(raw)
    expected = eager(rows)
    pixels = preprocessing.unpack(tf.reshape(outputs[preprocessing.PIXELS], [-1]), SIZE).numpy()
    labels = outputs[preprocessing.LABEL_INDEX].numpy().tolist()
    for i, row in enumerate(rows):
        np.testing.assert_array_equal(pixels[i], expected[row.image_id.encode()][0])
        assert labels[i] == expected[row.image_id.encode()][1]
    assert labels[3] == preprocessing.UNKNOWN_CLASS


def confidences(transformed: Transformed) -> dict[str, float]:
    """As training reads them, by the id of the image."""
    by_id = {}
    for folder in transformed.examples.values():
        loaded = training_images.load([f'{folder}/*.gz'], SIZE)
        assert loaded.confidence.dtype == np.float32
        pairs = zip(loaded.ids, loaded.confidence.tolist(), strict=True)
        by_id.update({image_id.decode(): sure for image_id, sure in pairs})
    return by_id


def test_labels_are_certain_where_the_source_says_nothing(transformed: Transformed) -> None:
    assert set(confidences(transformed).values()) == {1.0}


def test_confidence_passes_through(transformed: Transformed, tmp_path: pathlib.Path) -> None:
    ids = [row.image_id for row in transformed.rows]
    confidence_of = {image_id: (i % 8 + 1) / 8 for i, image_id in enumerate(ids)}
    confident = making.transform(tmp_path, confidence=confidence_of)
    assert confidences(confident) == confidence_of

    # What serves has no label and so no confidence; all the rest is computed without it.
    row = transformed.rows[0]
    raw = {name: tf.constant([[getattr(row, name)]]) for name in making.FEATURES}
    outputs = confident.output.transform_features_layer()(raw)
    expected = transformed.output.transform_features_layer()(raw)
    assert preprocessing.LABEL_CONFIDENCE not in outputs
    for name in (preprocessing.PIXELS, preprocessing.LABEL_INDEX):
        np.testing.assert_array_equal(outputs[name].numpy(), expected[name].numpy())


@dataclasses.dataclass(frozen=True)
class Ragged:
    """Images of which train has some without a label, and few labels have a confidence."""

    transformed: Transformed
    confidence_of: dict[str, float]


@pytest.fixture(scope='module')
def ragged(transformed: Transformed, tmp_path_factory: pytest.TempPathFactory) -> Ragged:
    """Without a fixed shape, as a reviewed schema has it in which features are optional."""
    unlabelled = tuple(
        Row(row.image, '', f'unlabelled {i}') for i, row in enumerate(transformed.rows[:3])
    )
    confidence_of = {row.image_id: 0.25 for row in transformed.rows[::3]}
    folder = tmp_path_factory.mktemp('ragged')
    return Ragged(making.transform(folder, True, unlabelled, confidence_of), confidence_of)


def test_label_without_a_confidence_is_certain(transformed: Transformed, ragged: Ragged) -> None:
    found = confidences(ragged.transformed)
    assert {row.image_id: found[row.image_id] for row in transformed.rows} == {
        row.image_id: ragged.confidence_of.get(row.image_id, 1.0) for row in transformed.rows
    }


def test_image_without_a_label_is_of_no_class(transformed: Transformed, ragged: Ragged) -> None:
    """A label may be absent; that must not shift the other classes."""
    for split, folder in transformed.examples.items():
        labelled = training_images.load([f'{folder}/*.gz'], SIZE)
        other = training_images.load([f'{ragged.transformed.examples[split]}/*.gz'], SIZE)
        known = np.flatnonzero(other.labels != preprocessing.UNKNOWN_CLASS)
        assert len(other) - len(known) == (3 if split == 'train' else 0)
        other = other.take(known)
        np.testing.assert_array_equal(labelled.values, other.values)
        np.testing.assert_array_equal(labelled.labels, other.labels)
        assert labelled.ids.tolist() == other.ids.tolist()
    names = ragged.transformed.output.vocabulary_by_name(preprocessing.CLASSES_FILE)
    assert sorted(name.decode() for name in names) == sorted(CLASSES)
