"""A model whose base is frozen is evaluated on the Embedder's features; no image is decoded."""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib
import shutil
from typing import Any

import apache_beam as beam
import keras
import numpy as np
import pytest
import tensorflow as tf
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from tests.components import transformed as making
from tests.components.embedding import embedding_run
from tests.components.evaluation import evaluating
from tests.components.transformed import CLASSES, RESIZE, SIZE, Row, Transformed
from thawline.components import backbones
from thawline.components.backbones import classifier
from thawline.components.backbones.features import Features, feature_model
from thawline.components.embedding import embeddings
from thawline.components.evaluation import cached_features, inference, predictions
from thawline.components.evaluation.gate.params import Gate
from thawline.components.saved_model import card, signatures
from thawline.components.saved_model.decision_rule import Rule
from thawline.components.saved_model.runner import SavedModelRunner
from thawline.components.shared import code_digest, split_files
from thawline.components.shared.feature_key import FeatureKey
from thawline.components.transform import preprocessing

SETTINGS = embedding_run.TINY
PARTS = {'val': making.rows(6, 1), 'test': making.rows(4, 2)}


def exported(
    folder: pathlib.Path,
    transformed: Transformed,
    frozen: bool = True,
    seed: int = SETTINGS.seed,
    features: Features = SETTINGS.features,
    size: int = SIZE,
    resize: str = RESIZE,
) -> pathlib.Path:
    """A model, by default on the base of the embeddings; returns the artifact's folder."""
    base = _base(seed, size)
    model = classifier.build(base, features, len(CLASSES), 0.2, seed=0)
    model.set_head(*head(feature_model(base, features)))
    where = folder / 'Format-Serving'
    signatures.export(model, CLASSES, transformed.output, size, resize, where, frozen=frozen)
    return folder


@functools.cache
def _base(seed: int, size: int) -> backbones.Backbone:
    """No test here changes its weights."""
    keras.utils.set_random_seed(seed)
    return backbones.build(SETTINGS.backbone, size, SETTINGS.weights)


def head(base: keras.Model) -> tuple[np.ndarray, np.ndarray]:
    """A random head of the size of the base's features, so that images differ in their answers."""
    pixels = preprocessing.pixels_from_bytes(
        tf.constant([row.image for row in PARTS['val']]), base.input_shape[1], RESIZE
    )
    seen = base(tf.cast(pixels, tf.float32), training=False).numpy()
    kernel = np.random.default_rng(0).normal(size=(seen.shape[1], len(CLASSES)))
    kernel /= (seen @ kernel).std()
    return kernel.astype(np.float32), -(seen.mean(axis=0) @ kernel).astype(np.float32)


def embed(folder: pathlib.Path, parts: dict[str, tuple[Row, ...]]) -> str:
    """The embeddings of these images; returns where they are."""
    files = {}
    folder.mkdir()
    for split, part in parts.items():
        encoded = tf.constant([row.image for row in part])
        pixels = preprocessing.pixels_from_bytes(encoded, SIZE, RESIZE).numpy()
        ids = [row.image_id.encode() for row in part]
        files[split] = [
            embedding_run.write_shard(folder / f'{split}.gz', pixels, [0] * len(ids), ids)
        ]
    embedding_run.embed(files, folder / 'embeddings', SETTINGS, RESIZE)
    return str(folder / 'embeddings')


def answers(loaded: SavedModelRunner, splits: dict[str, list[bytes]]) -> dict[str, np.ndarray]:
    """Probabilities by the id of the image, by the exported model itself."""
    chances_of = {}
    for some in splits.values():
        served = loaded('serving_default', examples=some)['probabilities']
        for one, chances in zip(some, served, strict=True):
            feature = tf.train.Example.FromString(one).features.feature['image_id']
            chances_of[feature.bytes_list.value[0].decode()] = chances
    return chances_of


def test_answers_are_those_to_the_images_though_no_image_is_there(
    transformed: Transformed, uri: str, tmp_path: pathlib.Path
) -> None:
    candidate = exported(tmp_path / 'model', transformed)
    whole = {split: [evaluating.example(row, split) for row in PARTS[split]] for split in PARTS}
    served = answers(SavedModelRunner(candidate / 'Format-Serving'), whole)
    broken = {split: [_without_image(one) for one in some] for split, some in whole.items()}
    gate = Gate(val_accuracy=0.0)
    table = evaluating.evaluate(tmp_path, broken, candidate, gate=gate, embeddings=uri).predictions
    assert len(table) == len(served) == 50
    for identity, chances in zip(table.ids, table.probabilities, strict=True):
        np.testing.assert_allclose(chances, served[identity], atol=1e-3)


def _without_image(serialized: bytes) -> bytes:
    example = tf.train.Example.FromString(serialized)
    example.features.feature['image'].bytes_list.value[:] = [b'gone']
    return example.SerializeToString()


def test_a_fine_tuned_model_looks_at_the_images(
    transformed: Transformed, tmp_path: pathlib.Path
) -> None:
    others = {
        split: tuple(
            Row(row.image, row.label, other.image_id)
            for row, other in zip(part, (*part[1:], part[0]), strict=True)
        )
        for split, part in PARTS.items()
    }
    uri = embed(tmp_path / 'made', others)  # each image has the features of another
    candidate = exported(tmp_path / 'model', transformed, frozen=False)
    assert not cached_features.fits(str(candidate / 'Format-Serving'), uri)
    splits = {split: [evaluating.example(row, split) for row in PARTS[split]] for split in PARTS}
    table = evaluating.evaluate(
        tmp_path, splits, candidate, gate=Gate(val_accuracy=0.0), embeddings=uri
    ).predictions
    served = answers(SavedModelRunner(candidate / 'Format-Serving'), splits)
    for identity, chances in zip(table.ids, table.probabilities, strict=True):
        np.testing.assert_allclose(chances, served[identity], atol=1e-3)


def test_an_unknown_image_has_no_features(uri: str) -> None:
    features = cached_features.CachedFeatures(uri, ['val', 'test'])
    first, second, *_ = PARTS['val']
    both = features.of([second.image_id, first.image_id])
    assert both is not None and both.shape[0] == 2
    np.testing.assert_array_equal(both[::-1], features.of([first.image_id, second.image_id]))
    assert features.of([first.image_id, 'unknown']) is None


def test_a_split_that_is_not_there_has_no_features(tmp_path: pathlib.Path) -> None:
    """With folds there may be no test."""
    uri = embed(tmp_path / 'made', {'val': PARTS['val']})
    features = cached_features.CachedFeatures(uri, ['val', 'test'])
    assert features.of([PARTS['val'][0].image_id]) is not None
    assert features.of([PARTS['test'][0].image_id]) is None


@pytest.fixture(scope='module')
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Embeddings of the images of `PARTS`."""
    return embed(tmp_path_factory.mktemp('embedded') / 'made', PARTS)


def swap_red_and_blue(patch: pytest.MonkeyPatch) -> None:
    """An edit of the preprocessing."""
    resize = preprocessing.resize
    patch.setattr(preprocessing, 'resize', lambda *given: resize(*given)[..., ::-1])
    # A function that is kept has been traced before the edit.
    patch.setattr(preprocessing, '_square', preprocessing._square.__wrapped__)
    patch.setattr(code_digest, 'of_code', lambda *modules: 'of the edit')


# What makes a model whose features differ from the embeddings in just this part of the key.
CHANGES: dict[str, dict[str, Any]] = {
    'weights_digest': {'seed': SETTINGS.seed + 1},
    'features': {'features': 'blocks'},
    'image_size': {'size': SIZE + 8},
    'resize': {'resize': 'stretch'},
    'code': {},
}


@pytest.mark.parametrize('part', CHANGES)
def test_the_table_has_what_a_model_serves_whatever_its_features_depend_on(
    part: str, transformed: Transformed, uri: str, tmp_path: pathlib.Path
) -> None:
    change = CHANGES[part]
    with pytest.MonkeyPatch.context() as patch:
        if part == 'code':
            swap_red_and_blue(patch)
        graph = transformed
        if part in ('image_size', 'resize', 'code'):
            graph = making.transform(tmp_path / 'transformed', graph_alone=True, **change)
        model = exported(tmp_path / 'model', graph, **change) / 'Format-Serving'
    assert differing_parts(model, uri) == [part]
    splits = {split: [evaluating.example(row, split) for row in PARTS[split]] for split in PARTS}
    files = split_files.files(evaluating.write_examples(tmp_path / 'examples', splits))
    job = inference.InferenceJob(str(model), None, frozenset(), (), (), uri)
    with inference.load_models(job.folders) as (loaded,):
        with beam.Pipeline(runner=FnApiRunner()) as root:
            inference.run(root, [*files['val'], *files['test']], job, str(tmp_path))
        table = predictions.read(str(tmp_path))
        served = answers(loaded, splits)
        for identity, chances in zip(table.ids, table.probabilities, strict=True):
            np.testing.assert_allclose(chances, served[identity], atol=1e-3)
        if part != 'features':  # of which the head takes more
            features = cached_features.CachedFeatures(uri, ['val', 'test']).of(list(table.ids))
            wrong = loaded('serving_features', features=features)['probabilities']
            assert np.abs(wrong - table.probabilities).max() > 0.1


def differing_parts(model: pathlib.Path, uri: str) -> list[str]:
    """In which parts the features of a model and embeddings differ."""
    mine, others = card.read(model).frozen_base, embeddings.read_spec(uri).key
    assert mine is not None and others is not None
    return [
        field.name
        for field in dataclasses.fields(FeatureKey)
        if getattr(mine, field.name) != getattr(others, field.name)
    ]


def write_card(model: pathlib.Path, key: FeatureKey | None) -> None:
    """The card of a model whose head sees the features of this key."""
    model.mkdir(exist_ok=True)
    card.write(card.Card(CLASSES, SIZE, RESIZE, Rule(), key), model)


def test_features_fit_where_no_part_of_the_key_differs(uri: str, tmp_path: pathlib.Path) -> None:
    key = embeddings.read_spec(uri).key
    assert key is not None
    write_card(tmp_path, key)
    assert cached_features.fits(str(tmp_path), uri)
    for field in dataclasses.fields(FeatureKey):
        write_card(tmp_path, dataclasses.replace(key, **{field.name: 'another'}))
        assert not cached_features.fits(str(tmp_path), uri), field.name
    write_card(tmp_path, None)
    assert not cached_features.fits(str(tmp_path), uri)


def test_features_of_an_older_version_do_not_fit(uri: str, tmp_path: pathlib.Path) -> None:
    key = embeddings.read_spec(uri).key
    write_card(tmp_path / 'model', key)
    older = tmp_path / 'older'
    shutil.copytree(tmp_path / 'model', older)
    shutil.copytree(uri, tmp_path / 'embeddings')
    for file, name in (
        (older / card.FILE, 'frozen_base'),
        (tmp_path / 'embeddings' / embeddings.SPEC_FILE, 'key'),
    ):
        values = json.loads(file.read_text('utf-8'))
        values[name] = {part: values[name][part] for part in ('weights_digest', 'features')}
        file.write_text(json.dumps(values), 'utf-8')
    assert not cached_features.fits(str(older), uri)
    assert not cached_features.fits(str(tmp_path / 'model'), str(tmp_path / 'embeddings'))
    assert not cached_features.fits(str(older), str(tmp_path / 'embeddings'))
