"""The work of ImageExampleGen."""

from __future__ import annotations

import os
import pathlib

from tfx.components.util import examples_utils
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact

from thawline.components.ingestion import (
    beam_pipeline,
    clusters,
    label_overlay,
    near_duplicates,
    quarantine,
    split_history,
    split_pipeline,
)
from thawline.components.ingestion.clusters import Clusters
from thawline.components.ingestion.image_reading import Settings
from thawline.components.ingestion.label_overlay import LabelChange
from thawline.components.ingestion.params import Split
from thawline.components.ingestion.quarantine import Rejected
from thawline.components.ingestion.readable_image import ReadableImage
from thawline.components.ingestion.source_types import Listing, SourceSpec
from thawline.components.ingestion.sources import list_source
from thawline.components.ingestion.split_plan import plan_splits
from thawline.components.ingestion.summary import IngestionSummary, summarise
from thawline.components.shared import (
    content_store,
    image_table,
    progress,
    property_names,
    sample_depth,
    stored_fn,
)
from thawline.components.shared.errors import DataError
from thawline.components.shared.executor import Artifacts, BeamNodeExecutor, Properties
from thawline.components.shared.text import abbreviate

_NO_HISTORY = (
    'the split starts anew: no table of the images of an earlier ingestion, whose splits would be '
    'kept, is left (images.parquet beside its examples)'
)


class Executor(BeamNodeExecutor):
    """Lists, reads and canonicalises, plans the splits, writes."""

    def run(self, inputs: Artifacts, outputs: Artifacts, properties: Properties) -> None:
        """Runs the ingestion.

        Raises:
          DataError: the source cannot be used, or too little of it survives.
        """
        spec = SourceSpec.from_json(properties[property_names.SOURCE_SPEC])
        split = Split.model_validate_json(properties[property_names.SPLIT])
        examples, report = outputs['examples'], outputs['quarantine']
        staging = os.path.join(report.uri, 'staging')
        fileio.makedirs(staging)
        try:
            wanted = str(properties.get(property_names.SPLIT_HISTORY, split_history.NONE))
            history = split_history.find(pathlib.Path(examples.uri).parent, wanted)
            listing = list_source(spec)
            names = property_names.MAX_SIDE, property_names.MAX_PIXELS
            max_side, max_pixels = (int(properties[name]) for name in names)
            settings = Settings(max_side, max_pixels, thumbnails=_looks_for_them(spec))
            rows, rejected = self._read(listing, spec, staging, settings, report)
            near = self._near_duplicates(rows, spec, staging, settings)
            ranges = sample_depth.choose(
                ((row.path, row.samples) for row in rows if row.samples), spec.depth
            )
            images = Settings(max_side, max_pixels, depth=ranges.depth)
            try:
                overlaid = [
                    *listing.label_notes,
                    *_overlay_notes(listing, rows, rejected, spec.normalise_labels),
                ]
                _check_classes(listing, rows, rejected)
                _check_given_folds(spec, rows)
                plan = plan_splits(rows, split, spec.normalise_labels, history, near.ties)
                _check_conflicts([*rejected, *plan.rejected], spec.conflicting_labels)
            except DataError as error:
                raise _with_reasons(error, rejected) from error
            rejected += plan.rejected
            splits = plan.partition.splits
            examples.split_names = artifact_utils.encode_split_names(splits)
            folders = {s: artifact_utils.get_split_uri([examples], s) for s in splits}
            with self._make_beam_pipeline() as pipeline:
                split_pipeline.write(
                    pipeline, staging, plan, images, folders, examples.uri,
                    content_store.lent_namespace('scaled', images.for_store()),
                )  # fmt: skip
            sample_depth.write(ranges.depth, examples.uri)
            counts = _counts(examples.uri, splits)
        finally:
            fileio.rmtree(staging)
        total = len(rows) + len(rejected) - len(plan.rejected)
        gone = {entry.path for entry in plan.rejected}
        used = [row for row in rows if row.path not in gone]
        near = clusters.with_labels(near, used, plan.classes)
        _write_near_duplicates(report, near, used)
        notes = [*listing.notes, *plan.notes]
        if history is None:
            notes.append(_NO_HISTORY)
        summary = summarise(
            total, counts, rejected, notes, ranges.notes, near.notes, overlaid,
            plan.partition.folds,
        )  # fmt: skip
        examples.set_int_custom_property(property_names.FOLDS, summary.folds)
        write_report(report, rejected, summary)
        examples_utils.set_payload_format(examples, example_gen_pb2.PayloadFormat.FORMAT_TF_EXAMPLE)
        examples_utils.set_file_format(examples, 'tfrecords_gzip')

    def _read(
        self,
        listing: Listing,
        spec: SourceSpec,
        staging: str,
        settings: Settings,
        report: Artifact,
    ) -> tuple[list[ReadableImage], list[Rejected]]:
        progress.start('images', len(listing.items) or None)
        namespace = content_store.lent_namespace('images', settings.for_store())
        with self._make_beam_pipeline() as pipeline:
            beam_pipeline.read(
                pipeline, listing, spec.columns, staging, settings, spec.boxes, namespace
            )
        stored_fn.record_use(report, namespace, pipeline)
        rows, rejected = outcomes_of(staging, len(listing.items) or None)
        return rows, [*listing.rejected, *rejected]

    def _near_duplicates(
        self, rows: list[ReadableImage], spec: SourceSpec, staging: str, settings: Settings
    ) -> Clusters:
        if not _looks_for_them(spec) or len(rows) < 2:
            return Clusters()
        namespace = content_store.lent_namespace(
            'pairs', near_duplicates.for_store(settings, spec.boxes)
        )
        with self._make_beam_pipeline() as pipeline:
            near_duplicates.find(
                pipeline,
                staging,
                (row.image_id for row in rows),
                spec.near_duplicates.turned,
                namespace,
            )
        lines = _lines(os.path.join(staging, near_duplicates.PAIRS))
        return clusters.tie(rows, near_duplicates.parse_pairs(lines))


def _looks_for_them(spec: SourceSpec) -> bool:
    return spec.near_duplicates.policy == 'together'


def _write_near_duplicates(report: Artifact, near: Clusters, rows: list[ReadableImage]) -> None:
    texts = {}
    if near.leaders:
        texts[clusters.CLUSTERS_CSV] = clusters.to_csv(near, rows)
    if near.contradictions:
        texts[clusters.FINDINGS_CSV] = clusters.findings_to_csv(near)
    for name, text in texts.items():
        with fileio.open(os.path.join(report.uri, name), 'w') as file:
            file.write(text)


def _with_reasons(error: DataError, rejected: list[Rejected]) -> DataError:
    if not rejected or error.unusable:
        return error
    message = f'{error} Quarantined: {quarantine.in_words(rejected)}.'
    return DataError(message, quarantine.to_csv(rejected))


def _check_classes(listing: Listing, rows: list[ReadableImage], rejected: list[Rejected]) -> None:
    """Refuses a class that was listed and of which no image can be read: it would vanish."""
    listed = {item.label for item in listing.items if item.label}
    listed |= {entry.label for entry in rejected if entry.label}  # TFRecords list nothing before
    lost = listed - {row.label for row in rows} - _corrected_classes(rows, rejected)
    if lost and rows:
        unusable = [entry for entry in rejected if entry.label in lost]
        raise DataError(
            f'No image can be read of the class {abbreviate(map(repr, sorted(lost)), 5)}: '
            f'{quarantine.in_words(unusable)}. Replace the files, or leave the class out.',
            quarantine.to_csv(rejected),
        )


def _check_given_folds(spec: SourceSpec, rows: list[ReadableImage]) -> None:
    if (name := spec.columns.fold) and not any(row.fold for row in rows):
        raise DataError(
            f'No image has a fold: data.columns.fold is {name!r}. Name the column or feature that '
            'has them, or leave data.columns.fold out.'
        )


def _corrected_classes(rows: list[ReadableImage], rejected: list[Rejected]) -> set[str | None]:
    """Classes by the source of images that were corrected, or left out by hand."""
    changed = {row.source_label for row in rows if row.source_label != row.label}
    return changed | {entry.label for entry in rejected if entry.reason == quarantine.LEFT_OUT}


def _overlay_notes(
    listing: Listing, rows: list[ReadableImage], rejected: list[Rejected], normalise: bool
) -> list[str]:
    """What the corrections did; refuses classes that look like a slip."""
    name = label_overlay.FILE
    notes = []
    if listing.record_files:  # only now are their labels known
        classes = {row.source_label for row in rows} | {entry.label for entry in rejected}
        known = {label for label in classes if label}
        notes = label_overlay.check_classes(listing.corrections, known, normalise, name)
    changes = [LabelChange(row.image_id, row.source_label or '', row.label or '') for row in rows]
    changes += [
        LabelChange(entry.image_id, entry.label, '')
        for entry in rejected
        if entry.reason == quarantine.LEFT_OUT
    ]
    unusable = {entry.image_id for entry in rejected if entry.reason != quarantine.LEFT_OUT}
    usable = [row for row in listing.corrections if row.image_id not in unusable]
    if lost := sorted(filter(None, _corrected_classes(rows, rejected) - {r.label for r in rows})):
        notes.append(f'{name}: no image is left of the class {abbreviate(map(repr, lost), 5)}')
    return [*label_overlay.describe(usable, changes, name), *notes]


def _check_conflicts(rejected: list[Rejected], policy: str) -> None:
    conflicts = [r for r in rejected if r.reason == quarantine.CONFLICTING_LABELS]
    if conflicts and policy == 'stop':
        raise DataError(
            f'The same image has different labels: {quarantine.in_words(conflicts)}. Correct the '
            'labels, or set data.conflicting_labels: quarantine to leave these images out.',
            quarantine.to_csv(rejected),
        )


def _counts(uri: str, splits: list[str]) -> dict[str, dict[str, int]]:
    """{split: {class: images written}}, from the table of the images; '' for those without."""
    images = image_table.read(uri)
    counts: dict[str, dict[str, int]] = {split: {} for split in splits}
    if images is None:
        raise RuntimeError(f'the table of the images is missing from {uri}')
    for row in images.group_by(['split', 'label']).aggregate([([], 'count_all')]).to_pylist():
        counts[row['split']][row['label'] or ''] = row['count_all']
    return {split: dict(sorted(by_class.items())) for split, by_class in counts.items()}


def outcomes_of(staging: str, listed: int | None) -> tuple[list[ReadableImage], list[Rejected]]:
    """What `beam_pipeline.read` left behind of each image.

    Args:
        staging: where it did.
        listed: how many images it was given; None where nobody could know.

    Raises:
        RuntimeError: it is not as many.
    """
    lines = _lines(os.path.join(staging, 'outcomes'))
    rows, rejected = beam_pipeline.parse_outcomes(lines)
    if listed is not None and len(rows) + len(rejected) != listed:
        raise RuntimeError(
            f'{listed} images were listed, but {len(rows)} read and {len(rejected)} rejected: some '
            'were lost.'
        )
    return rows, rejected


def _lines(prefix: str) -> list[str]:
    lines: list[str] = []
    for path in sorted(fileio.glob(prefix + '-*')):
        with fileio.open(path) as file:
            lines += [line for line in file.read().split('\n') if line]
    return lines


def write_report(report: Artifact, rejected: list[Rejected], summary: IngestionSummary) -> None:
    """Writes the quarantine and the summary, and notes the numbers on the artifact."""
    for name, text in (
        (quarantine.REPORT_CSV, quarantine.to_csv(rejected)),
        (quarantine.REPORT_JSONL, quarantine.to_jsonl(rejected)),
        (summary.FILE, summary.to_json(indent=2)),
    ):
        with fileio.open(os.path.join(report.uri, name), 'w') as file:
            file.write(text)
    for key in ('total', 'written', 'quarantined', 'classes'):
        report.set_int_custom_property(key, getattr(summary, key))
    report.set_string_custom_property(property_names.SUMMARY, summary.to_json(indent=None))
