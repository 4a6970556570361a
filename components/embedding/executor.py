"""The work of the Embedder: builds the base, runs the Beam pipeline, writes the spec."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

from tfx.types import artifact_utils

from thawline.components.backbones.params import PretrainedBase
from thawline.components.embedding import (
    beam_pipeline,
    embeddings,
    feature_extractor,
    shards,
)
from thawline.components.embedding.embeddings import EmbeddingSettings
from thawline.components.shared import (
    content_store,
    feature_key,
    progress,
    split_files,
    stored_fn,
)
from thawline.components.shared.executor import Artifacts, BeamNodeExecutor, Properties
from thawline.components.shared.feature_key import FeatureKey


class Executor(BeamNodeExecutor):
    """Runs every image through the frozen base."""

    def run(self, inputs: Artifacts, outputs: Artifacts, properties: Properties) -> None:
        """Embeds all splits.

        Raises:
            ConfigError: there is no such base, or its weights cannot be used.
            DataError: the examples are damaged.
        """
        examples = inputs['examples']
        output = outputs['embeddings']
        base = PretrainedBase.model_validate_json(properties['model'])
        settings = embeddings.EmbeddingSettings(
            backbone=base.backbone,
            weights=base.weights,
            image_size=int(properties['image_size']),
            features=properties['features'],
            augmentation=properties['augmentation'],
            views=int(properties['views']),
            seed=int(properties['seed']),
        )
        files = split_files.files(examples)
        output.split_names = artifact_utils.encode_split_names(list(files))
        passes = sum(
            shards.estimated_images(file) * settings.rows(split)
            for split in files
            for file in files[split]
        )
        progress.start('images through the frozen base', passes)
        with feature_extractor.preload(settings) as extractor:
            digest = extractor.backbone.weights_digest
            key = feature_key.current(
                digest, settings.features, settings.image_size, properties['resize']
            )
            namespace = content_store.lent_namespace('embeddings', for_store(settings, key))
            started = time.monotonic()
            with self._make_beam_pipeline() as pipeline:
                beam_pipeline.embed(pipeline, files, settings, output.uri, digest, namespace)
            seconds = time.monotonic() - started
            spec = embeddings.Spec(
                **dataclasses.asdict(settings),
                dimension=extractor.dimension,
                counts={split: embeddings.count(output.uri, split) for split in files},
                weights_digest=digest,
                seconds=seconds,
                key=key,
            )
        stored_fn.record_use(output, namespace, pipeline)
        embeddings.write_spec(output.uri, spec)
        output.backbone = spec.backbone
        output.dimension = spec.dimension
        output.views = spec.views
        output.count = sum(spec.counts.values())
        output.seconds = spec.seconds


def for_store(settings: EmbeddingSettings, key: FeatureKey) -> dict[str, Any]:
    """What features depend on beside the pixels."""
    values = {**dataclasses.asdict(settings), **dataclasses.asdict(key)}
    del values['weights']  # a name, or a path that a move changes; their digest is in the key
    return values
