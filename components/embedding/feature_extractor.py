"""The frozen base for Beam's RunInference: batches of pixels in, batches of features out."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from apache_beam.ml.inference.base import ModelHandler

from thawline.components import augmentation, backbones
from thawline.components.backbones import constant_weights, seeding
from thawline.components.backbones.features import feature_model
from thawline.components.embedding.embeddings import EmbeddingSettings
from thawline.components.shared import progress
from thawline.components.shared.errors import ConfigError
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.transform.examples import BATCH


@dataclasses.dataclass(frozen=True)
class ImageBatch:
    """Some images, or features of theirs, of splits with equally many views.

    Attributes:
        splits: of each image.
        keys: of each image's features in the content store.
        images: at most `BATCH`.
    """

    splits: tuple[str, ...]
    keys: tuple[bytes, ...]
    images: LabelledSet

    def __len__(self) -> int:
        return len(self.keys)


class FeatureExtractor:
    """A base and its two compiled functions, for plain and for augmented images.

    Attributes:
        backbone: the base.
        dimension: D, of the features.
    """

    def __init__(
        self, settings: EmbeddingSettings, backbone: backbones.Backbone | None = None
    ) -> None:
        """Builds the base, or takes one of the same settings.

        Raises:
            ConfigError: there is no such base, or its weights cannot be used.
        """
        self._settings = settings
        if backbone is None:
            # Even random weights must be the same in every worker and in the Trainer.
            is_random = settings.weights == 'random'
            with seeding.fixed_seed(settings.seed) if is_random else contextlib.nullcontext():
                backbone = backbones.build(settings.backbone, settings.image_size, settings.weights)
        self.backbone = backbone
        model = feature_model(self.backbone, settings.features)
        self.dimension: int = model.output_shape[-1]
        self._plain, self._augmented = augmentation.compile_views(
            constant_weights.inference_function(model),
            settings.image_size,
            augmentation.POLICIES[settings.augmentation],
        )

    def embed(self, split: str, images: LabelledSet) -> LabelledSet:
        """Features of the plain images, and in train of their augmented views."""
        starts = range(0, len(images), BATCH)
        parts = [self._embed(split, images.take(slice(at, at + BATCH))) for at in starts]
        return LabelledSet(np.concatenate(parts), images.labels, images.ids, images.confidence)

    def _embed(self, split: str, images: LabelledSet) -> np.ndarray:
        """float32 [n, V, D] of at most `BATCH` images.

        Batches are always whole, filled up with images that are there: the order in which
        convolutions add up depends on how many images there are, and so do the last bits. What
        comes from the content store is then what would be computed, in whatever company.
        """
        settings, count = self._settings, len(images)
        filled = images.take(np.arange(BATCH) % count)
        views = [self._plain(filled.values).numpy()[:count]]
        progress.advance(count)
        for view in range(1, settings.rows(split)):
            draws = augmentation.view_draws(settings.seed, filled.ids, view)
            views.append(self._augmented(filled.values, draws).numpy()[:count])
            progress.advance(count)
        return np.stack(views, axis=1)


_preloaded: dict[EmbeddingSettings, FeatureExtractor] = {}


@contextlib.contextmanager
def preload(settings: EmbeddingSettings) -> Iterator[FeatureExtractor]:
    """Builds the base for the workers of this process, while the block runs.

    An error in building it is then raised here, with its type and message, and not in a Beam
    worker, where it becomes a RuntimeError. Other processes build their own.

    Raises:
        ConfigError: there is no such base, or its weights cannot be used.
    """
    base = FeatureExtractor(settings)
    _preloaded[settings] = base
    try:
        yield base
    finally:
        del _preloaded[settings]


class FeatureExtractorHandler(ModelHandler[ImageBatch, ImageBatch, FeatureExtractor]):
    """Loads the base once a process, and runs it."""

    def __init__(self, settings: EmbeddingSettings, weights_digest: str | None = None) -> None:
        """Only the settings are sent to the workers; the base is built there.

        A worker on another machine reads its own copy of the weights: their digest must be this.
        """
        super().__init__()
        self._settings, self._weights_digest = settings, weights_digest

    def load_model(self) -> FeatureExtractor:
        """The preloaded base of this process, or a new one.

        Raises:
            ConfigError: this worker has other weights.
        """
        extractor = _preloaded.get(self._settings) or FeatureExtractor(self._settings)
        backbone = extractor.backbone
        if self._weights_digest not in (None, backbone.weights_digest):
            raise ConfigError(
                f'the weights of {self._settings.backbone} on a worker ({backbone.weights_source}, '
                f'sha256 {backbone.weights_digest}) are not those of this run '
                f'({self._weights_digest}); put the same file on all workers'
            )
        return extractor

    def run_inference(
        self,
        batch: Any,  # an ImageBatch; the base class asks for a Sequence
        model: FeatureExtractor,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterable[ImageBatch]:
        """One batch is one element: RunInference would otherwise rebuild batches image by image."""
        features = model.embed(batch.splits[0], batch.images)
        return [dataclasses.replace(batch, images=features)]

    def should_skip_batching(self) -> bool:
        """Shards are read in batches."""
        return True

    def get_num_bytes(self, batch: Any) -> int:
        """Bytes of the pixels, for which RunInference would pickle the batch."""
        return int(batch.images.values.nbytes)
