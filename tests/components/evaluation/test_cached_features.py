"""A model whose base is frozen is evaluated on the Embedder's features; no image is decoded."""

from __future__ import annotations

import pathlib

import keras
import numpy as np
import tensorflow as tf

from tests.components import transformed as making
from tests.components.embedding import embedding_run
from tests.components.evaluation import evaluating
from tests.components.transformed import CLASSES, RESIZE, SIZE, Row, Transformed
from thawline.components import backbones
from thawline.components.backbones import classifier
from thawline.components.evaluation import cached_features
from thawline.components.evaluation.gate.params import Gate
from thawline.components.saved_model import signatures
from thawline.components.transform import preprocessing

SETTINGS = embedding_run.SETTINGS
PARTS = {'val': making.rows(6, 1), 'test': making.rows(4, 2)}


def exported(folder: pathlib.Path, transformed: Transformed, frozen: bool) -> pathlib.Path:
    """A model on the base of the embeddings; returns the artifact's folder."""
    keras.utils.set_random_seed(SETTINGS.seed)
    base = backbones.build(SETTINGS.backbone, SIZE, SETTINGS.weights)
    model = classifier.build(base, SETTINGS.features, len(CLASSES), 0.2, seed=0)
    kernel = np.random.default_rng(0).normal(size=model.head.kernel.shape)
    model.set_head(kernel.astype(np.float32), np.zeros(len(CLASSES), np.float32))
    where = folder / 'Format-Serving'
    signatures.export(model, CLASSES, transformed.output, SIZE, RESIZE, where, frozen=frozen)
    return folder


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
    embedding_run.embed(files, folder / 'embeddings')
    return str(folder / 'embeddings')


def answers(model: pathlib.Path, splits: dict[str, list[bytes]]) -> dict[str, np.ndarray]:
    """Probabilities by the id of the image, by the exported model itself."""
    chances_of = {}
    for some in splits.values():
        served = evaluating.serve(model, some)['probabilities']
        for one, chances in zip(some, served, strict=True):
            feature = tf.train.Example.FromString(one).features.feature['image_id']
            chances_of[feature.bytes_list.value[0].decode()] = chances
    return chances_of


def test_answers_are_those_to_the_images_though_no_image_is_there(
    transformed: Transformed, tmp_path: pathlib.Path
) -> None:
    uri = embed(tmp_path / 'made', PARTS)
    candidate = exported(tmp_path / 'model', transformed, frozen=True)
    whole = {split: [evaluating.example(row, split) for row in PARTS[split]] for split in PARTS}
    served = answers(candidate, whole)
    broken = {split: [_without_image(one) for one in some] for split, some in whole.items()}
    gate = Gate(val_accuracy=0.0)
    table = evaluating.evaluate(tmp_path, broken, candidate, gate=gate, embeddings=uri).predictions
    assert len(table) == len(served) == 50
    for identity, chances in zip(table.ids, table.probabilities, strict=True):
        np.testing.assert_allclose(chances, served[identity], rtol=1e-4, atol=1e-6)


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
    served = answers(candidate, splits)
    for identity, chances in zip(table.ids, table.probabilities, strict=True):
        np.testing.assert_allclose(chances, served[identity], rtol=1e-4, atol=1e-6)


def test_an_unknown_image_has_no_features(tmp_path: pathlib.Path) -> None:
    features = cached_features.CachedFeatures(embed(tmp_path / 'made', PARTS), ['val', 'test'])
    first, second, *_ = PARTS['val']
    both = features.of([second.image_id, first.image_id])
    assert both is not None and both.shape[0] == 2
    np.testing.assert_array_equal(both[::-1], features.of([first.image_id, second.image_id]))
    assert features.of([first.image_id, 'unknown']) is None


def test_embeddings_of_other_weights_do_not_fit(
    transformed: Transformed, tmp_path: pathlib.Path
) -> None:
    uri = embed(tmp_path / 'made', PARTS)
    folder = exported(tmp_path / 'model', transformed, frozen=True) / 'Format-Serving'
    assert cached_features.fits(str(folder), uri)
    spec = pathlib.Path(uri, 'embeddings.json')
    digest = backbones.build(SETTINGS.backbone, SIZE, SETTINGS.weights).weights_digest
    text = spec.read_text('utf-8')
    spec.write_text(text.replace(text.split('"weights_digest": "')[1].split('"')[0], digest))
    assert not cached_features.fits(str(folder), uri)
