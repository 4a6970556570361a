"""Transformed shards of drawn images, and the Embedder's Beam pipeline run on them."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from apache_beam.options.pipeline_options import PipelineOptions

import apache_beam as beam  # isort: skip

from tests import tiny_base
from thawline.components.embedding import (
    beam_pipeline,
    embeddings,
    feature_extractor,
)
from thawline.components.shared import feature_key
from thawline.components.shared.content_store import Namespace
from thawline.components.shared.store_shards import key_of
from thawline.components.transform import preprocessing

SIZE = 32
# The smallest real base; random weights, so that nothing is downloaded.
SETTINGS = embeddings.EmbeddingSettings(
    'mobilenet_v2_035', 'random', SIZE, 'top', 'standard', 2, seed=3
)
# For those to whom it does not matter which base it is.
TINY = dataclasses.replace(SETTINGS, backbone=tiny_base.NAME)


def pictures(n: int, seed: int = 0) -> np.ndarray:
    """uint8 [n, SIZE, SIZE, 3]; each is noise around a colour of its own."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 256, (n, 1, 1, 3))
    return (colours + rng.normal(0, 40, (n, SIZE, SIZE, 3))).clip(0, 255).astype(np.uint8)


def image_ids(n: int) -> list[bytes]:
    """n different ids, not in the order of the images."""
    return [f'{(i * 7919) % n:04}é'.encode() for i in range(n)]


def write_shard(
    path: pathlib.Path,
    pixels: np.ndarray,
    labels: Sequence[int],
    ids: Sequence[bytes],
    confidence: Sequence[float] = (),
) -> str:
    """One shard as Transform leaves it; without any confidence, the feature is absent."""
    packed = preprocessing.pack(tf.constant(pixels)).numpy() if len(pixels) else []
    with tf.io.TFRecordWriter(str(path), 'GZIP') as writer:
        for i, (image, label, image_id) in enumerate(zip(packed, labels, ids, strict=True)):
            example = tf.train.Example()
            if confidence:
                sure = example.features.feature[preprocessing.LABEL_CONFIDENCE]
                sure.float_list.value.append(confidence[i])
            example.features.feature[preprocessing.PIXELS].bytes_list.value.append(image)
            digest = example.features.feature[preprocessing.PIXELS_DIGEST]
            digest.bytes_list.value.append(key_of(image))
            example.features.feature[preprocessing.IMAGE_ID].bytes_list.value.append(image_id)
            example.features.feature[preprocessing.LABEL_INDEX].int64_list.value.append(label)
            writer.write(example.SerializeToString())
    return str(path)


def embed(
    files: Mapping[str, Sequence[str]],
    out: pathlib.Path,
    settings: embeddings.EmbeddingSettings = SETTINGS,
    resize: str = 'stretch',
    namespace: Namespace | None = None,
) -> feature_extractor.FeatureExtractor:
    """Runs the pipeline as the executor does and writes the spec; returns the base."""
    options = PipelineOptions(['--runner=FnApiRunner', '--direct_running_mode=in_memory'])
    with feature_extractor.preload(settings) as base:
        with beam.Pipeline(options=options) as root:
            beam_pipeline.embed(root, files, settings, str(out), namespace=namespace)
        digest = base.backbone.weights_digest
        spec = embeddings.Spec(
            **dataclasses.asdict(settings),
            dimension=base.dimension,
            counts={split: embeddings.count(str(out), split) for split in files},
            weights_digest=digest,
            seconds=1.0,
            key=feature_key.current(digest, settings.features, settings.image_size, resize),
        )
    embeddings.write_spec(str(out), spec)
    return base
