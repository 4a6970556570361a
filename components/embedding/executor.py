"""The work of the Embedder: builds the base, runs the Beam pipeline, writes the spec."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact

from thawline.components.backbones.params import PretrainedBase
from thawline.components.embedding import (
    beam_pipeline,
    embeddings,
    feature_extractor,
    shards,
)
from thawline.components.shared import feature_key, progress, split_files


class Executor(base_beam_executor.BaseBeamExecutor):
    """Runs every image through the frozen base."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Embeds all splits.

        Args:
            input_dict: `examples`, transformed.
            output_dict: `embeddings`.
            exec_properties: those of `Embedder`; `model` as JSON.

        Raises:
            ConfigError: there is no such base, or its weights cannot be used.
            DataError: the examples are damaged.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(input_dict['examples'])
        output = artifact_utils.get_single_instance(output_dict['embeddings'])
        base = PretrainedBase.model_validate_json(exec_properties['model'])
        settings = embeddings.EmbeddingSettings(
            backbone=base.backbone,
            weights=base.weights,
            image_size=int(exec_properties['image_size']),
            features=exec_properties['features'],
            augmentation=exec_properties['augmentation'],
            views=int(exec_properties['views']),
            seed=int(exec_properties['seed']),
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
                    digest, settings.features, settings.image_size, exec_properties['resize']
                ),
            )
        embeddings.write_spec(output.uri, spec)
        output.backbone = spec.backbone
        output.dimension = spec.dimension
        output.views = spec.views
        output.count = sum(spec.counts.values())
        output.seconds = spec.seconds
