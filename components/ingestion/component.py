"""ImageExampleGen: images and labels of any source to split tf.Examples."""

from __future__ import annotations

from tfx.types import standard_artifacts

from thawline.components.ingestion import cache_key, driver, executor
from thawline.components.ingestion.artifacts import Quarantine
from thawline.components.ingestion.params import MAX_PIXELS, MAX_SIDE, Split
from thawline.components.ingestion.source_types import SourceSpec
from thawline.components.ingestion.sources import detect_format, group_finder
from thawline.components.shared.component import Component


class ImageExampleGen(Component):
    """Reads images from folders, CSV manifests, TFRecords or a package into tf.Examples.

    Outputs:
      examples: splits train, val and test (folds have a test split only where the settings give it
        a share), features as `components.ingestion.examples` says. The property `folds` has their
        number, 0 without.
      quarantine: what could not be used and why.
    """

    EXECUTOR = executor.Executor
    DRIVER_CLASS = driver.Driver
    OUTPUTS = {'examples': standard_artifacts.Examples, 'quarantine': Quarantine}
    PARAMETERS = {
        'source_spec': str,
        'split': Split,
        'max_side': int,
        'max_pixels': int,
    }

    def __init__(
        self,
        source: SourceSpec,
        split: Split | None = None,
        max_side: int = MAX_SIDE,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        """Checks the parameters; the source is looked at when the node runs.

        Args:
          source: where images and labels come from.
          split: folds, or shares of train, val and test; seed.
          max_side: longest side of stored images, pixels.
          max_pixels: images with more are quarantined undecoded (Pillow's own limit, twice its
            MAX_IMAGE_PIXELS or 178,956,970, holds beside it).

        Raises:
          ConfigError: format or group pattern are wrong.
        """
        detect_format(source)
        group_finder(source.group_pattern)
        super().__init__(**cache_key.parameters(source, split or Split(), max_side, max_pixels))
