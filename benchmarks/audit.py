"""The data audit: wrong labels, foreign images and the forecast, on sets where the truth is known.

    nice .venv/bin/python -m benchmarks.audit --shared ../shared --write

Embeddings of EfficientNet-Lite0 (packaged weights, 128 px, all blocks) are computed once and kept
in the folder `--cache`.

- **Labels**: 5 % of the labels are flipped to another class, drawn evenly; the audit's ranking,
  that of the vote of ten nearest images, and that of plain loss (probability out of fold).
- **Outliers**: images of another set are added, 5 % of the set, each with a label drawn from it.
- **Forecast**: the error at all images, out of fold, is predicted from the learning curve of 30 %.
- **Time**: of the processor, of the whole audit in memory, also 400 images by random weights.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import time
import warnings
from collections.abc import Iterator

import numpy as np
import sklearn.metrics
import tensorflow as tf
from sklearn.preprocessing import normalize

from benchmarks import images
from thawline.components import backbones
from thawline.components.backbones.features import feature_model
from thawline.components.data_audit import audit, executor, forecast, out_of_fold, outliers
from thawline.components.data_audit.images import AuditedImages
from thawline.components.data_audit.params import AuditPolicy
from thawline.components.embedding import similarity
from thawline.components.embedding.embeddings import Spec
from thawline.components.training import cross_validation

RESULTS = pathlib.Path(__file__).with_suffix('.md')
_SIDE, _RATE, _SEEDS, _DRAWS = 128, 0.05, 3, 30
_TITLE = (
    '# The data audit\n\n`python -m benchmarks.audit --shared ../shared --write`; what is measured '
    'and how is said in [audit.py](audit.py).'
)
_QUICK = AuditPolicy(weak_base='ignore', forecast=False)


def embedded(name: str, shared: pathlib.Path, cache: pathlib.Path) -> AuditedImages:
    """A set with its features; every image is in train."""
    file = cache / f'{name}.npz'
    if not file.exists():
        listed = images.listed(name, shared)
        base = backbones.build('efficientnet_lite0', _SIDE, 'package')
        model = feature_model(base, 'blocks')
        pixels = listed.pixels(_SIDE)
        features = [
            model(pixels[start : start + 64].astype(np.float32), training=False).numpy()
            for start in range(0, len(pixels), 64)
        ]
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(
            file, features=np.concatenate(features), labels=listed.labels,
            classes=listed.classes, files=listed.files,
        )  # fmt: skip
    kept = np.load(file)
    return audited(kept['features'], kept['labels'], kept['files'], tuple(kept['classes'].tolist()))


def audited(
    features: np.ndarray, labels: np.ndarray, files: np.ndarray, classes: tuple[str, ...]
) -> AuditedImages:
    n = len(labels)
    ids = np.array([f'{i:06d}' for i in range(n)], str)
    return AuditedImages(
        ids, files.astype(str), np.full(n, 'train'), labels.astype(np.int64), ids,
        np.ones(n, np.float32), features.astype(np.float32), {}, classes,
    )  # fmt: skip


def flipped(of: AuditedImages, seed: int) -> tuple[AuditedImages, np.ndarray]:
    """The same with wrong labels, and which these are: bool [N]."""
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(of), round(_RATE * len(of)), replace=False)
    labels = of.labels.copy()
    labels[rows] = (labels[rows] + rng.integers(1, len(of.classes), len(rows))) % len(of.classes)
    wrong = np.zeros(len(of), bool)
    wrong[rows] = True
    return dataclasses.replace(of, labels=labels), wrong


def vote_ranking(of: AuditedImages) -> np.ndarray:
    """By how far the vote of ten nearest images for the label is below that for another class."""
    _, rows = similarity.neighbours(of.features, 10)
    votes = np.zeros((len(of), len(of.classes)))
    np.add.at(votes, (np.arange(len(of))[:, None], of.labels[rows]), 1)
    own = votes[np.arange(len(of)), of.labels].copy()
    votes[np.arange(len(of)), of.labels] = -1
    return np.argsort(own - votes.max(axis=1), kind='stable')


def label_rows(sets: dict[str, AuditedImages]) -> Iterator[tuple[str, ...]]:
    for name, of in sets.items():
        for seed in range(_SEEDS):
            given, wrong = flipped(of, seed)
            record, table = audit.audit(given, _QUICK, lambda rows: {})
            ours = np.array([int(name) for name in table['image_id'].to_pylist()])
            flagged = sum(record.suspects.values())
            answers = out_of_fold.answer(given)
            loss = answers.probabilities[np.arange(len(given)), given.labels]
            rankings = (ours, vote_ranking(given), np.argsort(loss, kind='stable'))
            tenth = round(0.1 * len(given))
            yield (
                name,
                f'{seed}',
                *(f'{100 * wrong[o[:tenth]].sum() / wrong.sum():.0f} %' for o in rankings),
                *(f'{100 * wrong[o[: wrong.sum()]].mean():.0f} %' for o in rankings),
                f'{flagged}, {100 * wrong[ours[:flagged]].mean():.0f} %, '
                f'{100 * wrong[ours[:flagged]].sum() / wrong.sum():.0f} %',
            )


def outlier_rows(sets: dict[str, AuditedImages]) -> Iterator[tuple[str, ...]]:
    for name, of in sets.items():
        cells = []
        for other in sets.values():
            if other is of:
                cells.append('')
                continue
            scores = []
            for seed in range(_SEEDS):
                rng = np.random.default_rng(seed)
                foreign = rng.choice(len(other), round(_RATE * len(of)), replace=False)
                features = np.concatenate([of.features, other.features[foreign]])
                labels = np.concatenate([of.labels, rng.integers(0, len(of.classes), len(foreign))])
                is_foreign = np.arange(len(labels)) >= len(of)
                far = outliers.distances(
                    similarity.principal_directions(normalize(features)), labels
                )
                scores.append(sklearn.metrics.roc_auc_score(is_foreign, far))
            cells.append(f'{np.mean(scores):.3f}')
        yield (name, *cells)


def forecast_rows(sets: dict[str, AuditedImages]) -> Iterator[tuple[str, ...]]:
    for name, of in sets.items():
        truth = float((out_of_fold.answer(of).probabilities.argmax(axis=1) != of.labels).mean())
        # An answer out of fold is of a probe on the other folds.
        trained = round(len(of) * (1 - 1 / cross_validation.FOLDS))
        held, widths, middles = 0, [], []
        for draw in range(_DRAWS):
            rows = np.random.default_rng(draw).choice(len(of), round(0.3 * len(of)), replace=False)
            part = audited(of.features[rows], of.labels[rows], of.paths[rows], of.classes)
            answers = out_of_fold.answer(part)
            curve = forecast.measure(
                answers.components, part.labels, part.clusters, answers.strength
            )
            assert curve is not None
            errors = forecast.extrapolate(curve, np.array([trained]))[:, 0]
            lower, middle, upper = np.quantile(errors, [0.05, 0.5, 0.95])
            held += lower <= truth <= upper
            widths.append(upper - lower)
            middles.append(middle)
        yield (
            name, f'{len(of):,}', f'{100 * truth:.1f} %', f'{100 * np.mean(middles):.1f} %',
            f'{100 * np.mean(widths):.1f} points', f'{held} of {_DRAWS}',
        )  # fmt: skip


def time_rows(solar: AuditedImages, shared: pathlib.Path) -> Iterator[tuple[str, ...]]:
    pool = np.load(shared / 'pools' / 'cifar10_lite0_128.npz')
    wide = np.concatenate([pool['features'], pool['features'][:, :744]], axis=1)
    many = audited(wide, pool['labels'], solar.paths[np.arange(10_000) % len(solar)],
                   tuple(pool['classes'].tolist()))  # fmt: skip
    spec = Spec('efficientnet_lite0', 'package', _SIDE, 'blocks', 'none', 0, 0, 2024, {}, '', 0.0)
    for name, of in ((images.SOLAR, solar), ('CIFAR-10', many)):

        def rivals(rows: np.ndarray, of: AuditedImages = of) -> dict[str, np.ndarray]:
            encoded = [pathlib.Path(path).read_bytes() for path in of.paths[rows]]
            return executor.rival_features(encoded, spec)

        rng = np.random.default_rng(0)
        facts = {name: rng.uniform(size=len(of)) for name in ('brightness', 'contrast', 'width')}
        splits = rng.choice(['train', 'val', 'test'], len(of), p=[0.7, 0.15, 0.15])
        given = dataclasses.replace(of, facts=facts, splits=splits)
        started = time.process_time()
        audit.audit(given, AuditPolicy(), rivals)
        yield (
            name,
            f'{len(of):,}',
            f'{of.features.shape[1]:,}',
            f'{time.process_time() - started:.0f} s',
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--shared', type=pathlib.Path, required=True)
    parser.add_argument('--cache', type=pathlib.Path, default=pathlib.Path('/tmp/thawline-audit'))
    parser.add_argument('--write', action='store_true')
    arguments = parser.parse_args()
    tf.config.threading.set_inter_op_parallelism_threads(1)
    warnings.simplefilter('ignore')
    sets = {name: embedded(name, arguments.shared, arguments.cache) for name in images.SETS}
    two = {name: sets[name] for name in ('flowers5', 'trashnet')}
    parts = []

    def add(title: str, remark: str, heads: str, rows: Iterator[tuple[str, ...]]) -> None:
        """`heads` of the columns, parted by semicolons."""
        columns = heads.split('; ')
        lines = [f'## {title}', '', remark, '', f'| {" | ".join(columns)} |']
        lines.append('|---' * len(columns) + '|')
        for row in rows:
            print(row, flush=True)
            lines.append(f'| {" | ".join(row)} |')
        parts.append('\n'.join(lines))
        if arguments.write:
            RESULTS.write_text('\n\n'.join([_TITLE, *parts]) + '\n', 'utf-8')

    add(
        'Time',
        'Of the processor, in one process that has imported TensorFlow.',
        'set; images; features; processor',
        time_rows(sets[images.SOLAR], arguments.shared),
    )
    add(
        'Wrong labels',
        '5 % flipped. Recall in the first 10 % of all images; precision among as many as were '
        'flipped; and of the images that the audit calls suspect: how many, precision, recall.',
        'set; seed; recall, audit; recall, vote; recall, loss; precision, audit; precision, vote; '
        'precision, loss; suspects',
        label_rows(two),
    )
    add(
        'Outliers',
        'AUROC of images of another set (columns), 5 % of the set; mean of 3 seeds. Bees on '
        'flowers are in both hymenoptera and flowers5.',
        '; '.join(('set', *sets)),
        outlier_rows(sets),
    )
    add(
        'Forecast',
        f'From 30 % of the images, {_DRAWS} draws: how often the 90 % interval holds the error '
        'that is measured out of fold on all.',
        'set; images; error; predicted, mean; width of the interval; holds it',
        forecast_rows(two),
    )


if __name__ == '__main__':
    main()
