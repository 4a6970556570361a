"""Predictions of many images: from a listing to one table and what could not be used.

The table is complete or not there: parts lie in a hidden folder beside it until all of them are,
and get their names last. Every image that was listed is in the table or in the quarantine, which
is checked name by name.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence

import pyarrow as pa
from apache_beam.options.pipeline_options import PipelineOptions

from thawline.components.bulk_prediction.listing import Listing
from thawline.components.ingestion import quarantine
from thawline.components.ingestion.params import Columns
from thawline.components.ingestion.quarantine import Rejected
from thawline.components.shared import progress
from thawline.pipeline.prediction import beam_pipeline, chunk_files, model, tables
from thawline.pipeline.prediction.beam_pipeline import Chunk, PredictionJob

import apache_beam as beam  # isort: skip


@dataclasses.dataclass(frozen=True)
class PredictionResult:
    """What came of all images.

    Attributes:
        predicted: how many are in the table.
        abstained: how many of these have a score below the bound; None without one.
        rejected: the others, with their reasons.
    """

    predicted: int
    abstained: int | None
    rejected: tuple[Rejected, ...]


@dataclasses.dataclass(frozen=True)
class SizeLimits:
    """As ingestion has them: see `pipeline.prediction.encoded_images.servable`."""

    max_side: int
    max_pixels: int


def predict(
    listing: Listing,
    predictor: str,
    target: pathlib.Path,
    columns: Columns,
    bounds: SizeLimits,
    beam_args: Sequence[str],
    abstain_below: float | None = None,
) -> PredictionResult:
    """Predicts all images and writes `target`, and its quarantine where there is something in it.

    Where nothing could be predicted, only the quarantine is written and `target` left alone.

    Args:
        listing: of `listing.of_sources`.
        predictor: folder of the SavedModel.
        target: `.csv`, `.jsonl` or `.parquet`; replaced where it exists.
        columns: names in TFRecords.
        bounds: of sizes.
        beam_args: options of Beam.
        abstain_below: see `outputs`.

    Raises:
        ConfigError: the model cannot be used.
        RuntimeError: an image was lost.
    """
    kind = tables.table_kind(target)
    some = beam_pipeline.split_into_chunks(listing)
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f'.{target.name}.parts-', dir=target.parent))
    try:
        job = PredictionJob(predictor, str(folder), columns, bounds.max_side, bounds.max_pixels)
        with model.held(predictor) as held:
            progress.start('images', None if listing.records else len(listing.items))
            # The pipeline runs when its block ends.
            with beam.Pipeline(options=PipelineOptions(list(beam_args))) as root:
                beam_pipeline.add_pipeline(root, some, job)
            classes = held.classes
        progress.start('rows')
        unfinished = folder / f'table.{kind}'
        rows = _verify_rows(folder, some)
        written = tables.write_table(unfinished, kind, rows, classes, abstain_below)
        rejected = tuple(sorted({*listing.rejected, *chunk_files.all_rejected(folder, len(some))}))
        _publish(folder, target, unfinished if written.rows else None, rejected)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return PredictionResult(written.rows, written.abstained, rejected)


def _verify_rows(folder: pathlib.Path, some: Sequence[Chunk]) -> Iterator[pa.RecordBatch]:
    """Rows of all chunks in turn, each chunk with as many as it must have.

    Raises:
        RuntimeError: images were lost, or are there twice.
    """
    for chunk in some:
        names = [one.path for one in chunk_files.read_rejected(folder, chunk.number)]
        for batch in chunk_files.read_rows(folder, chunk.number):
            names += batch.column('path').to_pylist()
            yield batch
        expected = [item.name for item in chunk.items]
        if chunk.records is not None:
            expected = [f'{chunk.records.name}#{index:06d}' for index in range(len(names))]
        if sorted(names) != sorted(expected):
            lost = sorted(set(expected) - set(names))
            raise RuntimeError(
                f'{len(expected)} images were listed, but {len(names)} came out of chunk '
                f'{chunk.number}; lost: {", ".join(lost[:3]) or "none"}.'
            )


def _publish(
    folder: pathlib.Path,
    target: pathlib.Path,
    table: pathlib.Path | None,
    rejected: Sequence[Rejected],
) -> None:
    """Gives the files their names, the table last: where it is, the quarantine is its own."""
    beside = tables.quarantine_path(target)
    if rejected:
        text = folder / 'quarantine.csv'
        text.write_text(quarantine.to_csv(rejected), 'utf-8', 'backslashreplace')
        os.replace(text, beside)
    else:
        beside.unlink(missing_ok=True)
    if table is not None:
        os.replace(table, target)
