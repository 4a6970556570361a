"""Checks before anything expensive starts."""

from __future__ import annotations

import os
import pathlib
import shutil

from thawline.components.bulk_prediction import listing as to_predict
from thawline.components.evaluation.gate.params import Gate
from thawline.components.evaluation.params import Evaluation
from thawline.components.ingestion import sources
from thawline.components.ingestion.source_types import Listing
from thawline.components.shared import node_names
from thawline.components.shared.errors import ConfigError, NotFound, Unavailable, UserError
from thawline.pipeline.config.project import WEIGHTS_BY_NAME, Project
from thawline.pipeline.metadata import runs as metadata
from thawline.pipeline.metadata.stores import opening
from thawline.pipeline.notifications import targets
from thawline.pipeline.schema_review import reviewed_schema

_PATTERN = '*?[]'  # in output paths, Beam 2.77's file systems match these against names
_ROW_BYTES = 4 * 2_000  # of features
_MODEL_BYTES = 300 * 10**6  # the model several times, checkpoints, the report
_LEAST_FREE = 50 * 10**6


def check_project(project: Project) -> Listing:
    """Checks all that can be checked before anything expensive starts; returns the images.

    Raises:
        UserError: with the problem and its solution.
    """
    check_files(project)
    opening.prepare_run(project)
    targets.check(project.config.notifications, os.environ, project.home)
    if project.config.serving.bulk is not None:
        # Read last in a run: after a training would be late to report that there is nothing.
        try:
            to_predict.of_sources(
                [project.bulk_source(project.config.serving.bulk)], project.source_spec().columns
            )
        except UserError as error:
            raise type(error)(f'serving.bulk.data: {error}') from error
    listing = sources.list_source(project.source_spec())
    if classes := sorted({item.label for item in listing.items if item.label is not None}):
        project.config.training.decision.check_classes(classes)
    return listing


def check_columns(evaluation: Evaluation, gate: Gate, statistics: pathlib.Path) -> None:
    """Checks that the images have the columns that the evaluation and the gate name.

    The Evaluator would find out only after the training.

    Args:
        evaluation, gate: the settings.
        statistics: folder of StatisticsGen's artifact.

    Raises:
        ConfigError: they have not.
    """
    named = [
        *(
            (f'evaluation.crossed[{i}]', n)
            for i, names in enumerate(evaluation.crossed)
            for n in names
        ),
        *((f'gate.slices[{i}].column', floor.column) for i, floor in enumerate(gate.slices)),
    ]
    if not named:
        return
    from thawline.components.evaluation import image_statistics, slices

    folders = {p.name.removeprefix('Split-'): str(p) for p in statistics.glob('Split-*')}
    images = image_statistics.read(folders)
    known = slices.sliceable(('source_format', *images.edges, *images.metadata))
    for where, name in named:
        slices.check_column(name, known, where)


def older_types_note(project: Project) -> str | None:
    """A note if all runs so far are of a version whose components had other class paths.

    Class paths are types in ML Metadata and part of TFX's cache keys, so the cache cannot be used.
    """
    store = opening.find_store(project)
    names = [] if store is None else [kind.name for kind in store.get_execution_types()]
    if any(name.startswith('thawline.') for name in names):
        return None
    if not any(name.startswith('components.') for name in names):
        return None
    return (
        'earlier runs were recorded by a version with other component types; they stay listed, '
        'but their cached results cannot be used, so every node runs again'
    )


def check_disk(project: Project, listing: Listing) -> str | None:
    """Refuses a disk that is full, and notes one that may become so.

    Args:
        project: whose output is written.
        listing: its images.

    Raises:
        Unavailable: there is hardly any space.
    """
    config = project.config
    side, images = config.image_size, len(listing.items)
    # Canonical images are copies, at most; pixels are not compressed; one row a view.
    copies = sum(file.size for file in listing.files)
    rows = images * (1 + config.embedding.views)
    needed = copies + images * 3 * side**2 + rows * _ROW_BYTES + _MODEL_BYTES
    free = shutil.disk_usage(project.output).free
    space = f'{free / 1e6:,.0f} MB free, about {needed / 1e6:,.0f} MB needed for a whole run'
    if free < _LEAST_FREE:
        raise Unavailable(f'disk full: {project.output}, {space}')
    return f'the disk of {project.output} may become full: {space}' if free < needed else None


def check_files(project: Project) -> None:
    """Refuses what names a file that does not exist, or one or a place that cannot be used.

    Raises:
        NotFound, ConfigError: with the path.
    """
    weights = project.weights()
    if weights not in WEIGHTS_BY_NAME and not pathlib.Path(weights).is_file():
        raise NotFound(
            f'model.weights: there is no file {weights}; give the path of a weights file, or one '
            f'of {", ".join(WEIGHTS_BY_NAME)}'
        )
    check_output(project.output)
    reviewed_schema.read(project)


def check_output(output: pathlib.Path) -> None:
    """Refuses an output folder that Beam cannot use.

    Raises:
        ConfigError: with the path.
    """
    if odd := sorted(set(str(output)) & set(_PATTERN)):
        raise ConfigError(
            f'the output folder {output} has {" and ".join(odd)} in its path, which Beam '
            'takes for a pattern of file names; rename the folder, or set output to another one'
        )


def check_weights(project: Project) -> None:
    """Refuses weights that the Trainer cannot use, before anything runs.

    A file is loaded into its base once, which takes a second or two and proves that it fits;
    weights that have to be downloaded are fetched now rather than after the images were prepared.
    """
    from thawline.components import backbones

    model, size = project.base(), project.config.image_size
    if model.weights == 'random':
        return
    is_here = backbones.weights_path(model.backbone, model.weights, size) is not None
    if model.weights not in WEIGHTS_BY_NAME or not is_here:
        backbones.build(model.backbone, size, model.weights)


def check_tuned(project: Project) -> None:
    """Refuses a run with `training.tuned: true` before any tuning.

    Raises:
        ConfigError: there is no tuning result.
    """
    store = opening.find_store(project)
    runs = metadata.read_runs(store, project.name) if store else []
    if any(run.output(node_names.TUNER, 'best_hyperparameters') for run in runs):
        return
    raise ConfigError(
        f'training.tuned is true, but {project.output} has no tuning result; run thawline tune '
        'first, or set it to false'
    )
