"""What cross-fitting the probe costs beside one split: the solar cells, all 2,624 images.

Both by the product's functions from the same features of the frozen base, of the plain images and
of the default number of augmented views: the path of L2 strengths, the choice, the answers that
judge, and the head that ships. Seconds of one process, in turn, the first pair left out.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

import numpy as np

from benchmarks import images, recipes, report, thawline
from thawline.components import backbones
from thawline.components.embedding.feature_extractor import FeatureExtractor
from thawline.components.embedding.params import Embedding
from thawline.components.ingestion.fold_choice import AUTO_FOLDS
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import (
    cross_fitting,
    cross_validation,
    held_out,
    params,
    probe,
    refit,
)
from thawline.components.training.val_choices import ValChoices

COLUMNS = 'seed', 'one split: s, processor', 'folds', 'more', 'one split: s, clock', 'folds', 'more'


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the processor and of the clock."""
    began = time.process_time(), time.monotonic()
    work()
    return time.process_time() - began[0], time.monotonic() - began[1]


def by_split(data: LabelledSet, classes: tuple[str, ...], settings: params.Training) -> None:
    """A fifth is val."""
    clusters = np.arange(len(data))
    parts = cross_validation.assign_folds(data.labels, clusters, 5, settings.seed)
    train, val = data.take(np.flatnonzero(parts)), data.take(np.flatnonzero(parts == 0))
    head = probe.fit_sets(train, val, len(classes), settings)
    own = cross_fitting.parts_of_val(val.labels, np.arange(len(val)))
    choices = ValChoices(head.val_path)
    held_out.choose_apart(val.ids, val.labels, own, choices.by, classes, settings.decision)
    refit.fit_head(data, len(classes), settings, head.c)


def by_folds(data: LabelledSet, classes: tuple[str, ...], settings: params.Training) -> None:
    """As many folds as `auto` makes."""
    clusters = np.arange(len(data))
    fold = cross_validation.assign_folds(data.labels, clusters, AUTO_FOLDS, settings.seed)
    cross_fitting.fit_probe(data, fold, classes, settings)


def main() -> None:
    """Times both, seed by seed."""
    parser = report.parser(__doc__ or '', (images.SOLAR,))
    arguments = parser.parse_args()
    written = report.Report(__file__, __doc__ or '', arguments)
    found = images.listed(images.SOLAR, arguments.shared, arguments.limit)
    base = recipes.base('efficientnet_lite0', arguments.shared, 128)
    training = params.Training(mode='probe')
    settings = thawline.frozen_settings(base, training, Embedding())
    ids = np.array([f'{row:06d}'.encode() for row in range(len(found))], object)
    every = LabelledSet(found.pixels(base.size), found.labels, ids, found.confidence)
    backbone = backbones.build(base.name, base.size, base.weights)
    data = FeatureExtractor(settings, backbone).embed('train', every)
    rows: list[list[str]] = []
    written.expect(1 + len(arguments.seeds))
    for seed in [-1, *arguments.seeds]:
        own = training.model_copy(update={'seed': max(seed, 0)})
        took = [
            timed(functools.partial(work, data, found.classes, own))
            for work in (by_split, by_folds)
        ]
        (split, split_clock), (folds, folds_clock) = took
        if seed >= 0:
            times = split, folds, folds - split, split_clock, folds_clock, folds_clock - split_clock
            rows.append([str(seed), *(f'{value:.1f}' for value in times)])
            written.table('Results', COLUMNS, rows, f'{data.values.shape} features.')
        written.finished(f'seed {seed}: {folds - split:.1f} s of processor more')
    written.close()


if __name__ == '__main__':
    main()
