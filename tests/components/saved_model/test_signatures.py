"""The exported model, loaded by processes that know nothing of this project."""

from __future__ import annotations

import dataclasses
import pathlib
import subprocess
import sys
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.components import transformed as making
from tests.components.saved_model import call_signatures
from tests.components.training import tiny
from tests.components.transformed import CLASSES, RESIZE, SIZE, Row, Transformed
from thawline.components.backbones import classifier as model
from thawline.components.saved_model import signatures
from thawline.components.shared import image_decoder
from thawline.components.transform import preprocessing

PREDICTING = ('serving_default', 'serving_bytes', 'serving_pixels')
INPUT_NAMES = {
    'serving_default': 'examples',
    'serving_bytes': 'image_bytes',
    'serving_pixels': 'pixels',
    'transform_features': 'examples',
    'transform_labels': 'examples',
}
ROWS = 3


@dataclasses.dataclass(frozen=True)
class Exported:
    """A SavedModel, what it was made from and raw images to ask it about."""

    folder: pathlib.Path
    classifier: model.Classifier
    rows: tuple[Row, ...]


@pytest.fixture(scope='module')
def exported(transformed: Transformed, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp('exported') / 'model'
    classifier = model.build(tiny.backbone(side=SIZE), 'top', len(CLASSES), 0.2, seed=0)
    rng = np.random.default_rng(0)
    classifier.set_head(rng.normal(size=(8, len(CLASSES))), rng.normal(size=len(CLASSES)))
    signatures.export(classifier, CLASSES, transformed.output, SIZE, RESIZE, folder)
    return Exported(folder, classifier, transformed.rows[:ROWS])


@pytest.fixture(scope='module')
def with_variables(
    exported: Exported, transformed: Transformed, tmp_path_factory: pytest.TempPathFactory
) -> Exported:
    """The same, as a model that is too large for constants."""
    folder = tmp_path_factory.mktemp('with_variables') / 'model'
    made = exported.classifier
    signatures.export(made, CLASSES, transformed.output, SIZE, RESIZE, folder, most_constant=0)
    return dataclasses.replace(exported, folder=folder)


def decoded(row: Row) -> np.ndarray:
    """Pixels in the image's own size."""
    return image_decoder.decode(tf.constant(row.image)).numpy()


def objects(values: list[bytes]) -> np.ndarray:
    return np.array(values, object) if values else np.empty(0, object)


Answers = dict[str, dict[str, np.ndarray]]


def questions(rows: tuple[Row, ...]) -> dict[str, np.ndarray]:
    """Every signature with a batch, with nothing, with one image, and with garbage."""
    unlabelled = making.example(rows[0], ('image',))
    one_size = np.stack([preprocessing.resize(decoded(r), 40, 'stretch').numpy() for r in rows])
    asked: dict[str, np.ndarray] = {}
    for signature in INPUT_NAMES:
        if signature == 'serving_bytes':
            full, garbage = [r.image for r in rows], [rows[0].image, b'garbage']
        else:
            full = [making.example(r) for r in rows]
            garbage = [full[0], making.example(Row(b'garbage', 'x', 'y'))]
        if signature == 'serving_pixels':
            asked['batch|serving_pixels'] = one_size
            asked['none|serving_pixels'] = one_size[:0]
            for i, row in enumerate(rows):
                asked[f'row{i}|serving_pixels'] = decoded(row)[None]
            continue
        asked[f'batch|{signature}'] = objects(full)
        asked[f'none|{signature}'] = objects([])
        for i, one in enumerate(full):
            asked[f'row{i}|{signature}'] = objects([one])
        if signature != 'transform_labels':
            asked[f'garbage|{signature}'] = objects(garbage)
    for signature in ('serving_default', 'transform_labels', 'transform_features'):
        asked[f'unlabelled|{signature}'] = objects([unlabelled])
    stranger = Row(rows[0].image, 'never seen', 'z')
    asked['stranger|transform_labels'] = objects([making.example(stranger)])
    asked['no_image|serving_default'] = objects([making.example(rows[0], ('label',))])
    return asked


WAYS = ('v2', 'session', 'session with variables')


@pytest.fixture(scope='module')
def answer_files(exported: Exported, with_variables: Exported) -> dict[str, pathlib.Path]:
    """What a fresh process answered, by the way it loaded the model."""
    folder = exported.folder.parent
    asked = questions(exported.rows)
    numbered = {f'{i}|{key.split("|")[1]}': value for i, (key, value) in enumerate(asked.items())}
    np.savez(folder / 'inputs.npz', **numbered)  # type: ignore[arg-type]
    files = {way: folder / f'{way}.npz' for way in WAYS}
    jobs: list[str] = []
    for way, file in files.items():
        loader, _, kind = way.partition(' ')
        model = with_variables if kind else exported
        jobs += [loader, str(model.folder), str(folder / 'inputs.npz'), str(file)]
    program = str(pathlib.Path(call_signatures.__file__).resolve())
    ended = subprocess.run(
        [sys.executable, '-I', program, *jobs],
        cwd=folder, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-3000:]
    return files


@pytest.fixture(scope='module', params=WAYS)
def answers(
    request: pytest.FixtureRequest, exported: Exported, answer_files: dict[str, pathlib.Path]
) -> Answers:
    """`<call>|<signature>` -> outputs, of a fresh process."""
    names = list(questions(exported.rows))
    result: Answers = {name: {} for name in names}
    with np.load(answer_files[request.param]) as file:
        for key in file.files:
            number, output = key.split('|')
            result[names[int(number)]][output] = file[key]
    return result


@pytest.mark.parametrize('signature', PREDICTING)
def test_names_shapes_and_types_of_predictions(answers: Answers, signature: str) -> None:
    for call, n in (('batch', ROWS), ('none', 0), ('row0', 1)):
        found = answers[f'{call}|{signature}']
        assert set(found) == {'probabilities', 'label', 'score'}, (call, found)
        assert found['probabilities'].shape == (n, len(CLASSES))
        assert found['probabilities'].dtype == np.float32
        assert found['score'].shape == (n,) and found['score'].dtype == np.float32
        assert found['label'].shape == (n,)
    found = answers[f'batch|{signature}']
    np.testing.assert_allclose(found['probabilities'].sum(axis=1), 1.0, atol=1e-5)
    np.testing.assert_array_equal(found['score'], found['probabilities'].max(axis=1))
    names = [CLASSES[i].encode() for i in found['probabilities'].argmax(axis=1)]
    assert found['label'].tolist() == names


def test_signatures_agree_bit_for_bit(answers: Answers) -> None:
    for output in ('probabilities', 'label', 'score'):
        batches = [answers[f'batch|{s}'][output] for s in ('serving_default', 'serving_bytes')]
        np.testing.assert_array_equal(batches[0], batches[1])
        for i in range(ROWS):
            rows = [answers[f'row{i}|{signature}'][output] for signature in PREDICTING]
            np.testing.assert_array_equal(rows[0], rows[1])
            np.testing.assert_array_equal(rows[0], rows[2])


def test_answers_are_those_of_the_trained_model(answers: Answers, exported: Exported) -> None:
    pixels = preprocessing.pixels_from_bytes(
        tf.constant([row.image for row in exported.rows]), SIZE, RESIZE
    ).numpy()
    logits = exported.classifier.predict(pixels)
    expected = np.array(keras.ops.softmax(logits))
    found = answers['batch|serving_bytes']['probabilities']
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert len(np.unique(found, axis=0)) == ROWS  # images make a difference
    transformed = answers['batch|transform_features']
    np.testing.assert_array_equal(transformed['pixels'], pixels, strict=True)


def test_transform_signatures(answers: Answers, exported: Exported) -> None:
    expected = [CLASSES.index(row.label) for row in exported.rows]
    for call, n in (('batch', ROWS), ('none', 0)):
        features, labels = (
            answers[f'{call}|transform_features'],
            answers[f'{call}|transform_labels'],
        )
        assert set(features) == {'pixels', 'label_index'} and set(labels) == {'label_index'}
        assert features['pixels'].shape == (n, SIZE, SIZE, 3)
        assert features['pixels'].dtype == np.uint8
        for outputs in (features, labels):
            assert outputs['label_index'].shape == (n,)
            assert outputs['label_index'].dtype == np.int64
            assert outputs['label_index'].tolist() == expected[:n]


def test_label_is_needed_by_no_prediction(answers: Answers) -> None:
    np.testing.assert_array_equal(
        answers['unlabelled|serving_default']['probabilities'],
        answers['row0|serving_default']['probabilities'],
    )
    for call in (
        'unlabelled|transform_labels',
        'unlabelled|transform_features',
        'stranger|transform_labels',
    ):
        assert answers[call]['label_index'].tolist() == [preprocessing.UNKNOWN_CLASS]


@pytest.mark.parametrize('signature', ['serving_default', 'serving_bytes', 'transform_features'])
def test_garbage_is_an_invalid_argument(answers: Answers, signature: str) -> None:
    assert set(answers[f'garbage|{signature}']) == {'InvalidArgumentError'}


def test_example_without_image_is_an_invalid_argument(answers: Answers) -> None:
    (message,) = answers['no_image|serving_default'].values()
    assert set(answers['no_image|serving_default']) == {'InvalidArgumentError'}
    assert 'image' in str(message)


@pytest.fixture(scope='module')
def loaded(exported: Exported) -> Any:
    """The model in this process."""
    return tf.saved_model.load(str(exported.folder))


def test_every_class_name_survives(loaded: Any) -> None:
    """Class by class, by a head that always answers it."""
    found = loaded.signatures['transform_labels'](
        examples=tf.constant([making.example(Row(b'', name, '')) for name in CLASSES])
    )
    assert found['label_index'].numpy().tolist() == list(range(len(CLASSES)))


def test_weights_are_constants_unless_they_are_too_many(
    loaded: Any, with_variables: Exported
) -> None:
    assert not loaded.signatures['serving_bytes'].variables
    large = tf.saved_model.load(str(with_variables.folder))
    assert large.signatures['serving_bytes'].variables


def test_input_names_are_those_of_the_table(loaded: Any) -> None:
    assert set(loaded.signatures) == {*INPUT_NAMES, 'explain', 'serving_features'}
    (features,) = loaded.signatures['serving_features'].structured_input_signature[1].values()
    assert (features.name, features.dtype) == ('features', tf.float32)
    assert features.shape.as_list() == [None, 8]
    explain = loaded.signatures['explain'].structured_input_signature[1]
    assert {name: (s.dtype, s.shape.as_list()) for name, s in explain.items()} == {
        'pixels': (tf.uint8, [None, SIZE, SIZE, 3]),
        'class_index': (tf.int64, [None]),
    }
    for signature, name in INPUT_NAMES.items():
        (spec,) = loaded.signatures[signature].structured_input_signature[1].values()
        assert spec.name == name
        assert spec.dtype == (tf.uint8 if name == 'pixels' else tf.string)
        assert spec.shape.as_list() == ([None] * 3 + [3] if name == 'pixels' else [None])
