"""ImageExampleGen: images and labels of any source to split tf.Examples."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from thawline.components.ingestion import driver, executor
from thawline.components.ingestion.artifacts import Quarantine
from thawline.components.ingestion.source_types import SourceSpec
from thawline.components.ingestion.sources import detect_format, group_finder
from thawline.components.ingestion.split import check_fractions
from thawline.components.shared.splits import SPLITS

DEFAULT_FRACTIONS = {'train': 0.7, 'val': 0.15, 'test': 0.15}
DEFAULT_MAX_SIDE = 1024
DEFAULT_MAX_PIXELS = 100_000_000


class ImageExampleGenSpec(component_spec.ComponentSpec):
    """Contract of ImageExampleGen."""

    INPUTS: dict[str, component_spec.ChannelParameter] = {}
    OUTPUTS = {
        'examples': component_spec.ChannelParameter(type=standard_artifacts.Examples),
        'quarantine': component_spec.ChannelParameter(type=Quarantine),
    }
    PARAMETERS = {
        'source_spec': component_spec.ExecutionParameter(type=str),
        'fractions': component_spec.ExecutionParameter(type=str),
        'seed': component_spec.ExecutionParameter(type=int),
        'max_side': component_spec.ExecutionParameter(type=int),
        'max_pixels': component_spec.ExecutionParameter(type=int),
        'code_digest': component_spec.ExecutionParameter(type=str),
    }


class ImageExampleGen(base_beam_component.BaseBeamComponent):
    """Reads images from folders, CSV manifests, TFRecords or a package into tf.Examples.

    Outputs:
      examples: `standard_artifacts.Examples`, splits train, val and test, features as
        `components.ingestion.examples.to_example` says.
      quarantine: `Quarantine`, what could not be used and why.
    """

    SPEC_CLASS = ImageExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)
    DRIVER_CLASS = driver.Driver

    def __init__(
        self,
        source: SourceSpec,
        fractions: Mapping[str, float] | None = None,
        seed: int = 0,
        max_side: int = DEFAULT_MAX_SIDE,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        code_digest: str = '',
    ) -> None:
        """Checks the parameters; the source is looked at when the node runs.

        Args:
          source: where images and labels come from.
          fractions: share of train, val and test, summing to 1.
          seed: of the splits.
          max_side: longest side of stored images, pixels.
          max_pixels: images with more are quarantined undecoded (Pillow's own limit, twice its
            MAX_IMAGE_PIXELS or 178,956,970, holds beside it).
          code_digest: of the code that runs; part of the cache key.

        Raises:
          ConfigError: fractions, format or group pattern are wrong.
        """
        shares = dict(fractions or DEFAULT_FRACTIONS)
        check_fractions(shares)
        detect_format(source)
        group_finder(source.group_pattern)
        super().__init__(
            ImageExampleGenSpec(
                source_spec=source.to_json(),
                fractions=json.dumps({s: shares[s] for s in SPLITS}),
                seed=seed,
                max_side=max_side,
                max_pixels=max_pixels,
                code_digest=code_digest,
                examples=types.Channel(type=standard_artifacts.Examples),
                quarantine=types.Channel(type=Quarantine),
            )
        )
