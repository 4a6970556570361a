"""Which images the base finds alike, and which labels their neighbours contradict."""

from __future__ import annotations

import dataclasses

import numpy as np
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

NEIGHBOURS = 10
# Comparing every image with every other takes minutes beyond this many images of some thousand
# features each; their main directions tell neighbours as well.
_EXACT_IMAGES = 5_000
_DIRECTIONS = 128


@dataclasses.dataclass(frozen=True)
class ImageEmbeddings:
    """What the frozen base made of the labelled images of all splits.

    Attributes:
        ids: str [N].
        splits: str [N].
        labels: int64 [N], positions in the class list; -1 for a class that training never saw.
        features: float32 [N, D], of the plain images.
    """

    ids: np.ndarray
    splits: np.ndarray
    labels: np.ndarray
    features: np.ndarray

    def take(self, rows: np.ndarray) -> ImageEmbeddings:
        """The given rows as a set of its own."""
        return ImageEmbeddings(*(getattr(self, f.name)[rows] for f in dataclasses.fields(self)))


@dataclasses.dataclass(frozen=True)
class Suspect:
    """An image whose label may be wrong.

    Attributes:
        row: of `Embedded`.
        suggested: position of the class that its neighbours have.
        margin: probability of its label minus that of the suggested class, in [-1, 0].
        votes: how many of its `of` neighbours have the suggested class.
    """

    row: int
    suggested: int
    margin: float
    votes: int
    of: int


def nearest(features: np.ndarray, among: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The most alike by the cosine of their angle, best first.

    Args:
        features: float32 [N, D].
        among: float32 [M, D].
        count: at most so many of each.

    Returns:
        (cosines float32 [N, K], rows of `among` int64 [N, K]); K is the smaller of count and M.
    """
    count = min(count, len(among))
    if not count or not len(features):
        return np.empty((len(features), 0), np.float32), np.empty((len(features), 0), np.int64)
    # Of vectors of length 1 the nearest are the most alike, and scikit-learn is fastest at those.
    search = NearestNeighbors(n_neighbors=count, algorithm='brute').fit(normalize(among))
    distances, rows = search.kneighbors(normalize(features))
    return (1 - distances.astype(np.float32) ** 2 / 2), rows


def _main_directions(features: np.ndarray) -> np.ndarray:
    if len(features) <= _EXACT_IMAGES or features.shape[1] <= _DIRECTIONS:
        return features
    sample = np.random.default_rng(0).choice(len(features), _EXACT_IMAGES, replace=False)
    unit = normalize(features)
    # The mean is kept: cosines are of angles at the origin, which PCA alone would move.
    fitted = PCA(_DIRECTIONS, svd_solver='randomized', random_state=0).fit(unit[sample])
    return np.asarray((unit @ fitted.components_.T).astype(np.float32))


def suspects(
    embedded: ImageEmbeddings,
    classes: int,
    served: np.ndarray | None = None,
    served_rows: np.ndarray | None = None,
    neighbours: int = NEIGHBOURS,
) -> tuple[Suspect, ...]:
    """Labels that the image's neighbours contradict, the most suspicious first.

    That classifiers which did not see an image tell its wrong label is due to Brodley & Friedl,
    "Identifying Mislabeled Training Data", JAIR 1999. Here these are the image's nearest neighbours
    among all others, with each a vote, and, where the image was not trained on, the model itself:
    the mean of both is its probabilities. As in confident learning (Northcutt, Jiang & Chuang,
    JAIR 2021) a label is suspicious where a class other than it is at least as probable as that
    class is, on average, for images with its label; the margin between the two ranks them.

    Args:
        embedded: all labelled images.
        classes: C.
        served: float32 [n, C], the model's probabilities of some of the images.
        served_rows: int64 [n], which rows of `embedded` these are.
        neighbours: how many vote.
    """
    rows = np.flatnonzero(embedded.labels >= 0)
    if len(rows) < 2:
        return ()
    labels = embedded.labels[rows]
    features = _main_directions(embedded.features[rows])
    _, alike = nearest(features, features, neighbours + 1)
    # Without the image itself, which need not come first where another has the same features.
    itself = alike == np.arange(len(rows))[:, None]
    itself[~itself.any(axis=1), -1] = True
    alike = alike[~itself].reshape(len(rows), -1)
    votes = np.zeros((len(rows), classes), np.float32)
    np.add.at(votes, (np.arange(len(rows))[:, None], labels[alike]), 1)
    probabilities = votes / alike.shape[1]
    if served is not None and served_rows is not None:
        place = np.full(len(embedded.labels), -1)
        place[rows] = np.arange(len(rows))
        known = place[served_rows] >= 0
        both = place[served_rows][known]
        probabilities[both] = (probabilities[both] + served[known]) / 2
    own = probabilities[np.arange(len(rows)), labels]
    images = np.bincount(labels, minlength=classes)
    typical = np.bincount(labels, own, minlength=classes) / np.maximum(images, 1)
    others = np.where(probabilities >= np.maximum(typical, 1e-6), probabilities, -1.0)
    others[np.arange(len(rows)), labels] = -1.0
    suggested = others.argmax(axis=1)
    margin = own - others.max(axis=1)
    found = np.flatnonzero((others.max(axis=1) >= 0) & (margin < 0))
    order = sorted(found, key=lambda i: (margin[i], embedded.ids[rows[i]]))
    return tuple(
        Suspect(
            int(rows[i]),
            int(suggested[i]),
            float(margin[i]),
            int(votes[i, suggested[i]]),
            alike.shape[1],
        )
        for i in order
    )
