"""Batch prediction: from a listing of images to one table and its quarantine.

The table is complete or absent: chunks lie in a hidden folder beside it until all are finished. One
that a killed process left there is removed by the next prediction into the same folder.
Every listed image is in the table or in the quarantine, which is checked name by name.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shutil
from collections.abc import Iterator, Sequence

import pyarrow as pa
from apache_beam.options.pipeline_options import PipelineOptions

from thawline.components.bulk_prediction.listing import UnlabelledListing
from thawline.components.ingestion import quarantine
from thawline.components.ingestion.decoding import ImageSettings
from thawline.components.ingestion.params import Columns
from thawline.components.ingestion.quarantine import Rejected
from thawline.components.shared import progress
from thawline.pipeline.prediction import beam_pipeline, chunk_files, model, tables
from thawline.pipeline.prediction.beam_pipeline import Chunk, PredictionJob
from thawline.pipeline.system import temporary_files

import apache_beam as beam  # isort: skip

_PARTS = '.parts-'


@dataclasses.dataclass(frozen=True)
class PredictionResult:
    """How many images were predicted, and which were not.

    Attributes:
        predicted: images in the table.
        abstained: how many of these have a score below the threshold; None without a threshold.
        rejected: the other images, with their reasons.
    """

    predicted: int
    abstained: int | None
    rejected: tuple[Rejected, ...]


@dataclasses.dataclass(frozen=True)
class SizeLimits:
    """The same as in ingestion; see `encoded_images.to_servable`."""

    max_side: int
    max_pixels: int


def predict(
    listing: UnlabelledListing,
    predictor: str,
    target: pathlib.Path,
    columns: Columns,
    size_limits: SizeLimits,
    beam_args: Sequence[str],
    abstain_below: float | None = None,
) -> PredictionResult:
    """Predicts all images; writes `target`, and the quarantine where images were rejected.

    Where no image could be predicted, only the quarantine is written and `target` stays as it is.

    Args:
        listing: of `listing.of_sources`.
        predictor: folder of the SavedModel.
        target: `.csv`, `.jsonl` or `.parquet`; replaced where it exists.
        columns: names in TFRecords.
        size_limits: of the images.
        beam_args: options of Beam.
        abstain_below: see `tables`.

    Raises:
        ConfigError: the model cannot be used.
        RuntimeError: an image was lost.
    """
    kind = tables.table_kind(target)
    chunks = beam_pipeline.split_into_chunks(listing)
    temporary_files.remove_orphaned_in(target.parent, f'.*{_PARTS}*')
    folder = temporary_files.make_folder(f'.{target.name}{_PARTS}', target.parent)
    try:
        with model.load(predictor) as loaded:
            images = ImageSettings(size_limits.max_side, size_limits.max_pixels, loaded.depth)
            job = PredictionJob(predictor, str(folder), columns, images)
            progress.start('images', None if listing.records else len(listing.items))
            # The pipeline runs when its block ends.
            with beam.Pipeline(options=PipelineOptions(list(beam_args))) as root:
                beam_pipeline.add_pipeline(root, chunks, job)
            classes = loaded.classes
        progress.start('rows')
        unfinished = folder / f'table.{kind}'
        rows = _verify_rows(folder, chunks)
        counts = tables.write_table(unfinished, kind, rows, classes, abstain_below)
        rejected = tuple(
            sorted({*listing.rejected, *chunk_files.all_rejected(folder, len(chunks))})
        )
        _publish(folder, target, unfinished if counts.rows else None, rejected)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return PredictionResult(counts.rows, counts.abstained, rejected)


def _verify_rows(folder: pathlib.Path, chunks: Sequence[Chunk]) -> Iterator[pa.RecordBatch]:
    """Yields the rows of all chunks in turn and checks that no image is missing.

    Raises:
        RuntimeError: images were lost or appear twice.
    """
    for chunk in chunks:
        names = [image.path for image in chunk_files.read_rejected(folder, chunk.number)]
        for batch in chunk_files.read_rows(folder, chunk.number):
            names += batch.column('path').to_pylist()
            yield batch
        expected = [item.name for item in chunk.items]
        if chunk.records is not None:
            expected = [f'{chunk.records.name}#{index:06d}' for index in range(len(names))]
        if sorted(names) != sorted(expected):
            lost = sorted(set(expected) - set(names))
            raise RuntimeError(
                f'chunk {chunk.number}: {len(expected)} images listed, {len(names)} returned; '
                f'lost: {", ".join(lost[:3]) or "none"}.'
            )


def _publish(
    folder: pathlib.Path,
    target: pathlib.Path,
    table: pathlib.Path | None,
    rejected: Sequence[Rejected],
) -> None:
    """Gives the files their names; the table comes last, so that its quarantine is there before."""
    quarantine_file = tables.quarantine_path(target)
    if rejected:
        text = folder / 'quarantine.csv'
        text.write_text(quarantine.to_csv(rejected), 'utf-8', 'backslashreplace')
        os.replace(text, quarantine_file)
    else:
        quarantine_file.unlink(missing_ok=True)
    if table is not None:
        os.replace(table, target)
