"""The frozen base as Beam's RunInference uses it: batches of pixels in, batches of features out."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from apache_beam.ml.inference.base import ModelHandler

from thawline.components import augmentation, backbones
from thawline.components.backbones import constant_weights, seeding
from thawline.components.backbones.features import Features, feature_model
from thawline.components.embedding.embeddings import TRAIN
from thawline.components.shared import progress


@dataclasses.dataclass(frozen=True)
class EmbeddingSettings:
    """All that the features of an image depend on, beside its pixels and its id.

    Attributes:
        backbone, weights: as `components.backbones.build` takes them.
        image_size: side of the images, in pixels.
        features: 'top' or 'blocks'; see `components.backbones.features`.
        augmentation: name of the policy of the augmented views.
        views: augmented views of each train image, beside the plain one.
        seed: of the views, and of the base when its weights are random.
    """

    backbone: str
    weights: str
    image_size: int
    features: Features
    augmentation: str
    views: int
    seed: int

    def rows(self, split: str) -> int:
        """Rows of each image's embedding: the plain image and its views."""
        return 1 + self.views if split == TRAIN else 1


@dataclasses.dataclass(frozen=True)
class ImageBatch:
    """Images of one split: bytes [n], int64 [n], float32 [n], uint8 [n, S, S, 3]."""

    split: str
    ids: np.ndarray
    labels: np.ndarray
    confidence: np.ndarray
    pixels: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)


@dataclasses.dataclass(frozen=True)
class FeatureBatch:
    """Features of a batch: float32 [n, V, D], row 0 of the plain images."""

    split: str
    ids: np.ndarray
    labels: np.ndarray
    confidence: np.ndarray
    features: np.ndarray


class FeatureExtractor:
    """A base that was built, and its two compiled functions.

    Attributes:
        backbone: the base.
        dimension: D.
    """

    def __init__(
        self, settings: EmbeddingSettings, backbone: backbones.Backbone | None = None
    ) -> None:
        """Builds the base, or takes one that was built from the same settings.

        Raises:
            ConfigError: there is no such base, or its weights cannot be used.
        """
        self._settings = settings
        if backbone is None:
            # Random weights too are those of every worker, and of the Trainer.
            is_random = settings.weights == 'random'
            with seeding.fixed_seed(settings.seed) if is_random else contextlib.nullcontext():
                backbone = backbones.build(settings.backbone, settings.image_size, settings.weights)
        self.backbone = backbone
        model = feature_model(self.backbone, settings.features)
        self.dimension: int = model.output_shape[-1]
        features = constant_weights.inference_function(model)
        policy = augmentation.POLICIES[settings.augmentation]
        pixels = tf.TensorSpec([None, settings.image_size, settings.image_size, 3], tf.uint8)
        draws = tf.TensorSpec([None, augmentation.DRAWS], tf.float32)

        @tf.function(input_signature=[pixels])
        def plain(images: tf.Tensor) -> tf.Tensor:
            return features(tf.cast(images, tf.float32))

        @tf.function(input_signature=[pixels, draws])
        def augmented(images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
            return features(augmentation.augment(images, policy, draws))

        self._plain, self._augmented = plain, augmented

    def rows(self, split: str) -> int:
        """Rows of each image's embedding."""
        return self._settings.rows(split)

    def embed(self, batch: ImageBatch) -> FeatureBatch:
        """Features of the plain images, and in train of their augmented views."""
        settings = self._settings
        views = [self._plain(batch.pixels).numpy()]
        progress.advance(len(batch))
        for view in range(1, settings.rows(batch.split)):
            draws = np.stack([augmentation.view_draws(settings.seed, i, view) for i in batch.ids])
            views.append(self._augmented(batch.pixels, draws).numpy())
            progress.advance(len(batch))
        features = np.stack(views, axis=1)
        return FeatureBatch(batch.split, batch.ids, batch.labels, batch.confidence, features)


_held: dict[EmbeddingSettings, FeatureExtractor] = {}


@contextlib.contextmanager
def preload(settings: EmbeddingSettings) -> Iterator[FeatureExtractor]:
    """Builds the base for the time of the block, for the workers of this process too.

    A base that cannot be built is then an error of the caller, with its type and message, and not
    one from inside a Beam worker, which arrives as a RuntimeError. Other processes build their own.

    Raises:
        ConfigError: there is no such base, or its weights cannot be used.
    """
    base = FeatureExtractor(settings)
    _held[settings] = base
    try:
        yield base
    finally:
        del _held[settings]


class FeatureExtractorHandler(ModelHandler[ImageBatch, FeatureBatch, FeatureExtractor]):
    """Tells RunInference how to get the base, once a process, and how to use it."""

    def __init__(self, settings: EmbeddingSettings) -> None:
        """The base is built where it runs; only the settings travel."""
        super().__init__()
        self._settings = settings

    def load_model(self) -> FeatureExtractor:
        """The base that this process holds, or a new one."""
        return _held.get(self._settings) or FeatureExtractor(self._settings)

    def run_inference(
        self,
        batch: Any,  # a Batch; the base class asks for a Sequence
        model: FeatureExtractor,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterable[FeatureBatch]:
        """One batch is one element: RunInference would otherwise rebuild batches image by image."""
        return [model.embed(batch)]

    def should_skip_batching(self) -> bool:
        """Shards are read in batches."""
        return True

    def get_num_bytes(self, batch: Any) -> int:
        """Bytes of the pixels; RunInference would pickle them to find out."""
        return batch.pixels.nbytes
