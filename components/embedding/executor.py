"""The work of the Embedder: builds the base, runs the Beam pipeline, writes the spec."""

from __future__ import annotations

import dataclasses
import time

from tfx.types import artifact_utils

from thawline.components.backbones.params import PretrainedBase
from thawline.components.embedding import (
    beam_pipeline,
    embeddings,
    feature_extractor,
    shards,
)
from thawline.components.shared import feature_key, progress, split_files
from thawline.components.shared.executor import Artifacts, BeamNodeExecutor, Properties


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
            started = time.monotonic()
            with self._make_beam_pipeline() as pipeline:
                digest = extractor.backbone.weights_digest
                beam_pipeline.embed(pipeline, files, settings, output.uri, digest)
            seconds = time.monotonic() - started
            digest = extractor.backbone.weights_digest
            spec = embeddings.Spec(
                **dataclasses.asdict(settings),
                dimension=extractor.dimension,
                counts={split: embeddings.count(output.uri, split) for split in files},
                weights_digest=digest,
                seconds=seconds,
                key=feature_key.current(
                    digest, settings.features, settings.image_size, properties['resize']
                ),
            )
        embeddings.write_spec(output.uri, spec)
        output.backbone = spec.backbone
        output.dimension = spec.dimension
        output.views = spec.views
        output.count = sum(spec.counts.values())
        output.seconds = spec.seconds
