"""Pools of embedded images, and the small sets that simulations draw from them."""

from __future__ import annotations

import dataclasses
import itertools
import pathlib

import numpy as np

from benchmarks import images, recipes
from thawline.components import backbones
from thawline.components.embedding.embeddings import EmbeddingSettings
from thawline.components.embedding.feature_extractor import FeatureExtractor
from thawline.components.shared.labelled_set import LabelledSet

KINDS = ('images', 'groups', 'duplicates')
GROUP, SHARED, ALIKE = 10, 0.6, 0.95
UNSEEN = 4000
SIDE = 128  # of images


@dataclasses.dataclass(frozen=True)
class Pool:
    """Embedded images: float32 [N, D] and int [N]."""

    name: str
    features: np.ndarray
    labels: np.ndarray


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A set that is labelled, and images that are not: features, labels, clusters."""

    features: np.ndarray
    labels: np.ndarray
    clusters: np.ndarray
    unseen: np.ndarray
    unseen_labels: np.ndarray


def read_pool(named: str, shared: pathlib.Path) -> Pool:
    """A pool as an archive of `features` and `labels`, or the features of an image set."""
    if named in images.SETS:
        found = images.listed(named, shared)
        base = recipes.base('efficientnet_lite0', shared, SIDE)
        settings = EmbeddingSettings(base.name, base.weights, base.size, 'top', 'none', 0, 0)
        backbone = backbones.build(base.name, base.size, base.weights)
        ids = np.array([b''] * len(found), object)
        every = LabelledSet(found.pixels(base.size), found.labels, ids)
        features = FeatureExtractor(settings, backbone).embed('train', every).values[:, 0]
        return Pool(named, features, found.labels)
    file = pathlib.Path(named)
    with np.load(file) as stored:
        features, labels = stored['features'].astype(np.float32), stored['labels'].astype(int)
    return Pool(file.stem, features, labels)


def draw(pool: Pool, n: int, classes: int, kind: str, rng: np.random.Generator) -> Drawn:
    """A set of n images of some classes, and others of the same classes; none is drawn twice."""
    names = rng.choice(np.unique(pool.labels), classes, replace=False)
    left = [list(rng.permutation(np.flatnonzero(pool.labels == name))) for name in names]
    labelled = _make(pool.features, left, n, kind, rng)
    unseen, unseen_labels, _ = _make(pool.features, left, UNSEEN, kind, rng)
    return Drawn(*labelled, unseen, unseen_labels)


def _make(
    features: np.ndarray, left: list[list[int]], n: int, kind: str, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """At most n images of the kind, their labels and clusters; a cluster is of one class.

    Args:
        features: of the pool, float32 [N, D].
        left: rows of the pool by class; those that are taken are removed.
        n: fewer, where a class has too few left.
        kind: see the module.
        rng: draws the sizes of clusters.
    """
    share = {'images': 0.0, 'groups': SHARED, 'duplicates': ALIKE}[kind]
    made: list[np.ndarray] = []
    labels: list[int] = []
    clusters: list[int] = []
    for cluster in itertools.count():
        label, size = cluster % len(left), 1
        if kind == 'groups':
            size = GROUP
        elif kind == 'duplicates' and rng.random() < 0.08:  # a fifth of the images
            size = int(rng.integers(2, 6))
        size = min(size, n - len(labels))
        if size == 0 or size > len(left[label]):
            break
        rows = [left[label].pop() for _ in range(size)]
        made.append(share * features[rows[:1]] + (1 - share) * features[rows])
        labels += [label] * size
        clusters += [cluster] * size
    return np.concatenate(made), np.array(labels), np.array(clusters)
