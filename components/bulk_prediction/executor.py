"""The work of UnlabelledExampleGen."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

import apache_beam as beam
from tfx.components.util import examples_utils
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils

from thawline.components.bulk_prediction import listing
from thawline.components.bulk_prediction.listing import (
    UnlabelledListing,
    to_ingest,
    without_labels,
)
from thawline.components.ingestion import beam_pipeline, quarantine, split_pipeline
from thawline.components.ingestion import executor as ingestion
from thawline.components.ingestion.image_reading import Settings
from thawline.components.ingestion.params import Columns
from thawline.components.ingestion.summary import summarise
from thawline.components.shared import progress, sample_depth
from thawline.components.shared.content_store import Records
from thawline.components.shared.errors import DataError
from thawline.components.shared.executor import Artifacts, BeamNodeExecutor, Properties
from thawline.components.shared.gzipped_records import WriteGzippedRecords
from thawline.components.shared.sample_depth import FULL_DEPTH, SampleDepth

SPLIT = 'unlabelled'


class Executor(BeamNodeExecutor):
    """Lists, reads and canonicalises, writes."""

    def run(self, inputs: Artifacts, outputs: Artifacts, properties: Properties) -> None:
        """Runs the ingestion.

        Raises:
            DataError: the source cannot be used, or nothing in it can.
        """
        listing, columns = listing_of(properties)
        examples, report = outputs['examples'], outputs['quarantine']
        staging = os.path.join(report.uri, 'staging')
        fileio.makedirs(staging)
        count = None if listing.records else len(listing.items)
        progress.start('images', count)
        bounds = int(properties['max_side']), int(properties['max_pixels'])
        images = Settings(*bounds)
        scaled = dataclasses.replace(images, depth=_trained_depth(inputs))
        try:
            with self._make_beam_pipeline() as root:
                beam_pipeline.read(root, to_ingest(listing), columns, staging, images)
            rows, rejected = ingestion.outcomes_of(staging, count)
            rejected += listing.rejected
            if not rows:
                raise DataError(
                    f'none of the images of {properties["source"]} can be used: '
                    f'{quarantine.in_words(rejected)}.'
                )
            examples.split_names = artifact_utils.encode_split_names([SPLIT])
            folder = artifact_utils.get_split_uri([examples], SPLIT)
            with self._make_beam_pipeline() as root:
                _compress(root, os.path.join(staging, 'examples-*'), folder, scaled)
        finally:
            fileio.rmtree(staging)
        total = len(rows) + len(rejected)
        numbers = summarise(total, {SPLIT: {'': len(rows)}}, rejected)
        ingestion.write_report(report, rejected, numbers)
        examples_utils.set_payload_format(examples, example_gen_pb2.PayloadFormat.FORMAT_TF_EXAMPLE)
        examples_utils.set_file_format(examples, 'tfrecords_gzip')


def listing_of(properties: Mapping[str, Any]) -> tuple[UnlabelledListing, Columns]:
    """What the source holds, and the names in it, from the properties of the execution.

    Raises:
        UserError: it cannot be listed.
    """
    columns = Columns.model_validate_json(str(properties['columns']))
    columns = columns.model_copy(update={'metadata': None})
    return listing.of_sources([str(properties['source'])], columns), without_labels(columns)


def _trained_depth(inputs: Artifacts) -> SampleDepth:
    """Of the images that the model learned from."""
    return sample_depth.read(inputs['trained_on'].uri) if 'trained_on' in inputs else FULL_DEPTH


def _compress(root: beam.Pipeline, pattern: str, folder: str, images: Settings) -> None:
    """Records as all of TFX expects them."""
    unstored = Records(None)  # images of one night would only fill the store
    (
        root
        | 'Read' >> beam.io.ReadFromTFRecord(pattern, compression_type='uncompressed')
        | 'Scale'
        >> beam.Map(lambda one: split_pipeline.scaled(one, images, unstored).SerializeToString())
        | 'Write' >> WriteGzippedRecords(os.path.join(folder, 'data_tfrecord'))
    )
