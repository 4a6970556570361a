"""Puts a fingerprint of the source into the cache key, so that changed images run anew."""

from __future__ import annotations

import pathlib

from tfx.orchestration.portable import data_types

from thawline.components.ingestion.fingerprint import ContentDigests, fingerprint
from thawline.components.ingestion.source_types import Listing, SourceSpec
from thawline.components.ingestion.sources import list_source
from thawline.components.shared import driver, property_names


class Driver(driver.Driver):
    """Driver of ImageExampleGen."""

    PROPERTY = property_names.SOURCE_FINGERPRINT

    def value(self, execution_info: data_types.ExecutionInfo) -> str:
        """The fingerprint; digests of files are kept beside the artifacts of the node.

        Raises:
            UserError: the source cannot be listed.
        """
        examples = pathlib.Path(execution_info.output_dict['examples'][0].uri)
        node = examples.parents[1]  # <node>/examples/<execution>
        return fingerprint(self.listing(execution_info), ContentDigests(node))

    def listing(self, execution_info: data_types.ExecutionInfo) -> Listing:
        """What the source holds."""
        spec = str(execution_info.exec_properties[property_names.SOURCE_SPEC])
        return list_source(SourceSpec.from_json(spec))
