"""Similar images by their embeddings, and labels that the neighbours contradict."""

from __future__ import annotations

import dataclasses

import numpy as np
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

NEIGHBOURS = 10
# Comparing all pairs takes minutes beyond this many images of some thousand features each; their
# principal directions find the neighbours as well.
_EXACT_IMAGES = 5_000
_DIRECTIONS = 128


@dataclasses.dataclass(frozen=True)
class ImageEmbeddings:
    """Features of the labelled images of all splits, from the frozen base.

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
        """Some of the rows."""
        return ImageEmbeddings(*(getattr(self, f.name)[rows] for f in dataclasses.fields(self)))


@dataclasses.dataclass(frozen=True)
class Suspect:
    """An image whose label may be wrong.

    Attributes:
        row: of `Embedded`.
        suggested: position of the class of its neighbours.
        margin: probability of its label minus that of the suggested class, in [-1, 0].
        votes: how many of its `of` neighbours have the suggested class.
    """

    row: int
    suggested: int
    margin: float
    votes: int
    of: int


def nearest(features: np.ndarray, among: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The nearest neighbours by cosine similarity, best first.

    Args:
        features: float32 [N, D].
        among: float32 [M, D].
        count: neighbours of each.

    Returns:
        (cosines float32 [N, K], rows of `among` int64 [N, K]); K is the smaller of count and M.
    """
    count = min(count, len(among))
    if not count or not len(features):
        return np.empty((len(features), 0), np.float32), np.empty((len(features), 0), np.int64)
    # Among unit vectors the nearest are the most similar, and scikit-learn is fastest at that.
    search = NearestNeighbors(n_neighbors=count, algorithm='brute').fit(normalize(among))
    distances, rows = search.kneighbors(normalize(features))
    return (1 - distances.astype(np.float32) ** 2 / 2), rows


def _principal_directions(features: np.ndarray) -> np.ndarray:
    if len(features) <= _EXACT_IMAGES or features.shape[1] <= _DIRECTIONS:
        return features
    sample = np.random.default_rng(0).choice(len(features), _EXACT_IMAGES, replace=False)
    unit = normalize(features)
    # The mean stays: cosines are measured from the origin, which PCA would move.
    fitted = PCA(_DIRECTIONS, svd_solver='randomized', random_state=0).fit(unit[sample])
    return np.asarray((unit @ fitted.components_.T).astype(np.float32))


def suspects(
    embeddings: ImageEmbeddings,
    classes: int,
    served: np.ndarray | None = None,
    served_rows: np.ndarray | None = None,
    neighbours: int = NEIGHBOURS,
) -> tuple[Suspect, ...]:
    """Labels that the neighbours contradict, the most suspicious first.

    Classifiers that did not see an image can find its wrong label (Brodley & Friedl, "Identifying
    Mislabeled Training Data", JAIR 1999). Here these are the vote of the nearest neighbours and,
    for images outside train, the model; the probabilities are the mean of both. As in confident
    learning (Northcutt, Jiang & Chuang, JAIR 2021) a label is suspicious where another class is at
    least as probable as that class is, on average, for images of its own; the margin ranks them.

    Args:
        embeddings: of all labelled images.
        classes: C.
        served: float32 [n, C], the model's probabilities for some of the images.
        served_rows: int64 [n], their rows in `embeddings`.
        neighbours: how many vote.
    """
    rows = np.flatnonzero(embeddings.labels >= 0)
    if len(rows) < 2:
        return ()
    labels = embeddings.labels[rows]
    features = _principal_directions(embeddings.features[rows])
    _, nearest_rows = nearest(features, features, neighbours + 1)
    # Without the image itself, which need not come first where another has equal features.
    itself = nearest_rows == np.arange(len(rows))[:, None]
    itself[~itself.any(axis=1), -1] = True
    nearest_rows = nearest_rows[~itself].reshape(len(rows), -1)
    votes = np.zeros((len(rows), classes), np.float32)
    np.add.at(votes, (np.arange(len(rows))[:, None], labels[nearest_rows]), 1)
    probabilities = votes / nearest_rows.shape[1]
    if served is not None and served_rows is not None:
        row_of = np.full(len(embeddings.labels), -1)
        row_of[rows] = np.arange(len(rows))
        known = row_of[served_rows] >= 0
        both = row_of[served_rows][known]
        probabilities[both] = (probabilities[both] + served[known]) / 2
    own = probabilities[np.arange(len(rows)), labels]
    images = np.bincount(labels, minlength=classes)
    typical = np.bincount(labels, own, minlength=classes) / np.maximum(images, 1)
    others = np.where(probabilities >= np.maximum(typical, 1e-6), probabilities, -1.0)
    others[np.arange(len(rows)), labels] = -1.0
    suggested = others.argmax(axis=1)
    margin = own - others.max(axis=1)
    suspicious = np.flatnonzero((others.max(axis=1) >= 0) & (margin < 0))
    order = sorted(suspicious, key=lambda i: (margin[i], embeddings.ids[rows[i]]))
    return tuple(
        Suspect(
            int(rows[i]),
            int(suggested[i]),
            float(margin[i]),
            int(votes[i, suggested[i]]),
            nearest_rows.shape[1],
        )
        for i in order
    )
