"""Accuracy of what ships: refit, average of weights, or the model that was judged.

- Per seed, a stratified sample of so many labelled images; all others of the set (at most 600)
  are the outer test set, which no method sees.
- "before": 70 % train, 15 % val, 15 % test, and nothing is fitted anew: what ships has learned from
  70 % of the labelled images.
- "split": the same, then what was chosen is fitted to train and val.
- "folds": all images in folds, as many as `folds: auto` makes. What ships is the head fitted to all
  images, or the mean of the weights of the folds' fine-tuned models.
- "refit": the same folds; what ships is fine-tuned on all images instead, for the median of the
  folds' best epochs.

All of it is done by the product's functions, with its default settings but for what is named.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import tempfile
import time

import numpy as np
import tensorflow as tf

from benchmarks import images, recipes, report, thawline
from thawline.components import backbones
from thawline.components.embedding.feature_extractor import FeatureExtractor
from thawline.components.embedding.params import Embedding
from thawline.components.ingestion import fold_choice, stratify
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import (
    checkpoint,
    cross_validation,
    model_selection,
    params,
    recipe,
    refit,
    validation,
)
from thawline.components.training.validated_classifier import ValidatedClassifier

METHODS = ('before', 'split', 'folds', 'refit')
TESTED = 600
COLUMNS = (
    'set', 'images', *(f'{method}, %' for method in METHODS),
    'split - before', 'folds - before', 'folds - refit', 'before: s', 'split: s', 'folds: s',
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Shipped:
    """Accuracy on the outer test set and seconds of training, by method."""

    accuracy: dict[str, float]
    seconds: dict[str, float]


class Trial:
    """One sample of labelled images, embedded once."""

    def __init__(
        self,
        base: recipes.Base,
        every: LabelledSet,
        classes: tuple[str, ...],
        labelled: np.ndarray,
        tested: np.ndarray,
        training: params.Training,
    ) -> None:
        self._base, self._classes, self._training = base, classes, training
        self._labelled, self._test = every.take(labelled), every.take(tested)
        settings = thawline.frozen_settings(base, training, Embedding())
        recipes.fresh(training.seed)
        frozen = FeatureExtractor(settings, self._backbone())
        self._kind = settings.features
        self._features = {split: frozen.embed(split, self._labelled) for split in ('train', 'val')}

    def _backbone(self) -> backbones.Backbone:
        return backbones.build(self._base.name, self._base.size, self._base.weights)

    def _train(
        self, train: np.ndarray, val: np.ndarray, fold: np.ndarray | None, ends: str
    ) -> tuple[ValidatedClassifier, float]:
        recipes.fresh(self._training.seed)
        backbone = self._backbone()
        features = recipe.FeatureSets(
            self._kind, self._features['train'].take(train), self._features['val'].take(val)
        )
        roles = validation.ImageRoles()
        if fold is not None:
            folds = dict(zip(self._labelled.ids, fold.tolist(), strict=True))
            roles = validation.ImageRoles(folds=folds)
        settings = self._training.model_copy(update={'refit': ends})
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            trained = validation.train(
                backbone,
                self._classes,
                features,
                lambda: (self._labelled.take(train), self._labelled.take(val)),
                settings,
                roles,
                checkpoint.CheckpointFile(pathlib.Path(folder, 'state'), 'benchmark'),
                tf.summary.create_noop_writer(),
            )
        return trained, time.monotonic() - started

    def _refit(self, trained: ValidatedClassifier) -> ValidatedClassifier:
        """Fine-tuned on all images, by what the folds chose together."""
        record = trained.record
        assert record.fine_tune and record.interpolation and record.augmentation
        tuned = record.fine_tune
        scored = {float(share): scores for share, scores in record.interpolation.items()}
        share = model_selection.choose(scored)
        choice = refit.Choice(record.probe.c)
        if share:
            choice = refit.Choice(
                record.probe.c, tuned.best_epoch, tuned.epochs, tuned.blocks, share
            )
        recipes.fresh(self._training.seed)
        settings = self._training.model_copy(update={'augmentation': record.augmentation.policy})
        rows = np.arange(len(self._labelled))
        sets = self._features['train'].take(rows), self._labelled
        new = refit.build(self._backbone(), self._kind, len(self._classes), settings)
        classifier, _ = refit.fit(new, sets, settings, choice)
        return dataclasses.replace(trained, classifier=classifier)

    def _accuracy(self, trained: ValidatedClassifier) -> float:
        answers = trained.rule.answers(trained.classifier.predict(self._test.values))
        return float((answers == self._test.labels).mean())

    def run(self) -> Shipped:
        """All methods."""
        labels, accuracy, seconds = self._labelled.labels, {}, {}
        split = _split(labels, self._training.seed)
        train, val = (np.flatnonzero(split == name) for name in ('train', 'val'))
        for method, ends in (('before', 'never'), ('split', 'auto')):
            trained, seconds[method] = self._train(train, val, None, ends)
            accuracy[method] = self._accuracy(trained)
        groups = np.arange(len(labels))
        folds = fold_choice.auto_folds(np.bincount(labels).tolist())
        fold = cross_validation.assign_folds(labels, groups, folds, self._training.seed)
        train, val = np.flatnonzero(fold), np.flatnonzero(fold == 0)
        trained, seconds['folds'] = self._train(train, val, fold, 'auto')
        accuracy['folds'] = accuracy['refit'] = self._accuracy(trained)
        if trained.record.fine_tune:
            accuracy['refit'] = self._accuracy(self._refit(trained))
        return Shipped(accuracy, seconds)


def _split(labels: np.ndarray, seed: int) -> np.ndarray:
    """The split of each image, as ingestion shares them out by default."""
    named = [(f'{row:06d}', str(label)) for row, label in enumerate(labels)]
    split = stratify.share_out(named, seed, {'train': 0.7, 'val': 0.15, 'test': 0.15})
    return np.array([split[name] for name, _ in named])


def ship(
    base: recipes.Base,
    sample: tuple[LabelledSet, tuple[str, ...], np.ndarray, np.ndarray],
    training: params.Training,
) -> Shipped:
    """All methods on one sample."""
    return Trial(base, *sample, training).run()


def row(name: str, count: int, results: list[Shipped]) -> list[str]:
    """Means over seeds, with their standard errors."""
    by = {method: [100 * one.accuracy[method] for one in results] for method in METHODS}

    def gain(method: str, other: str) -> str:
        pairs = zip(by[method], by[other], strict=True)
        return report.with_error([a - b for a, b in pairs], '+.1f')

    return [
        name,
        f'{count:,}',
        *(f'{report.mean(values):.1f}' for values in by.values()),
        gain('split', 'before'),
        gain('folds', 'before'),
        gain('folds', 'refit'),
        *(
            report.seconds(report.mean([one.seconds[m] for one in results]))
            for m in METHODS[:3]
        ),
    ]  # fmt: skip


def main() -> None:
    """Runs every set, number of images and seed."""
    parser = report.parser(__doc__ or '', images.SETS)
    parser.add_argument('--images', nargs='+', type=int, default=[100, 200])
    parser.add_argument('--modes', nargs='+', choices=('probe', 'fine_tune'), default=['probe'])
    parser.add_argument('--backbone', default='efficientnet_lite0')
    parser.add_argument('--size', type=int, default=128)
    report.resumable(parser)
    arguments = parser.parse_args()
    base = recipes.base(arguments.backbone, arguments.shared, arguments.size)
    written, measured = (
        report.Report(__file__, __doc__ or '', arguments),
        report.Measured(arguments),
    )
    cells = len(arguments.modes) * len(arguments.images) * len(arguments.seeds)
    written.expect(len(arguments.sets) * cells)
    tables: dict[str, list[list[str]]] = {mode: [] for mode in arguments.modes}
    for name in arguments.sets:
        found = images.listed(name, arguments.shared, arguments.limit)
        ids = np.array([f'{place:06d}'.encode() for place in range(len(found))], object)
        every = LabelledSet(found.pixels(base.size), found.labels, ids, found.confidence)
        for mode in arguments.modes:
            for count in arguments.images:
                results = []
                for seed in arguments.seeds:
                    rows = np.arange(len(found))
                    labelled = images.sample(found.labels, rows, count, seed)
                    rest = np.setdiff1d(rows, labelled)
                    tested = images.sample(found.labels, rest, TESTED, seed)
                    training = params.Training(mode=mode, seed=seed)
                    sample = every, found.classes, labelled, tested
                    run = functools.partial(ship, base, sample, training)
                    results.append(measured.take((name, mode, count, seed), run))
                    shown = ', '.join(f'{m} {100 * a:.1f}' for m, a in results[-1].accuracy.items())
                    written.finished(f'{name}, {mode}, {count} images, seed {seed}: {shown}')
                tables[mode].append(row(name, count, results))
                written.table(mode, COLUMNS, tables[mode], f'{base.name}, {base.size} px.')
    written.close()


if __name__ == '__main__':
    main()
