"""ImageExampleGen: images and labels of any source to split tf.Examples."""

from __future__ import annotations

from collections.abc import Mapping

from tfx.types import standard_artifacts

from thawline.components.ingestion import cache_key, driver, executor
from thawline.components.ingestion.artifacts import Quarantine
from thawline.components.ingestion.hash_split import check_fractions
from thawline.components.ingestion.params import MAX_PIXELS, MAX_SIDE, Split
from thawline.components.ingestion.source_types import SourceSpec
from thawline.components.ingestion.sources import detect_format, group_finder
from thawline.components.shared.component import Component


class ImageExampleGen(Component):
    """Reads images from folders, CSV manifests, TFRecords or a package into tf.Examples.

    Outputs:
      examples: splits train, val and test, features as `components.ingestion.examples.to_example`
        says.
      quarantine: what could not be used and why.
    """

    EXECUTOR = executor.Executor
    DRIVER_CLASS = driver.Driver
    OUTPUTS = {'examples': standard_artifacts.Examples, 'quarantine': Quarantine}
    PARAMETERS = {
        'source_spec': str,
        'fractions': str,
        'seed': int,
        'max_side': int,
        'max_pixels': int,
    }

    def __init__(
        self,
        source: SourceSpec,
        fractions: Mapping[str, float] | None = None,
        seed: int = 0,
        max_side: int = MAX_SIDE,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        """Checks the parameters; the source is looked at when the node runs.

        Args:
          source: where images and labels come from.
          fractions: share of train, val and test, summing to 1.
          seed: of the splits; another one splits anew.
          max_side: longest side of stored images, pixels.
          max_pixels: images with more are quarantined undecoded (Pillow's own limit, twice its
            MAX_IMAGE_PIXELS or 178,956,970, holds beside it).

        Raises:
          ConfigError: fractions, format or group pattern are wrong.
        """
        fractions = fractions or Split().fractions
        check_fractions(fractions)
        detect_format(source)
        group_finder(source.group_pattern)
        super().__init__(**cache_key.parameters(source, fractions, seed, max_side, max_pixels))
