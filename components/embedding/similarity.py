"""Similar images by their embeddings."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

# Comparing all pairs takes minutes beyond this many images of some thousand features each; their
# principal directions find the neighbours as well.
_EXACT_IMAGES = 5_000
_DIRECTIONS = 128


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


def principal_directions(features: np.ndarray) -> np.ndarray:
    """Unit vectors of many images along their principal directions, else the features themselves.

    Of more than 5,000 images: float32 [N, 128], whose inner products are nearly the cosines.
    """
    if len(features) <= _EXACT_IMAGES or features.shape[1] <= _DIRECTIONS:
        return features
    sample = np.random.default_rng(0).choice(len(features), _EXACT_IMAGES, replace=False)
    unit = normalize(features)
    # The mean stays: cosines are measured from the origin, which PCA would move.
    fitted = PCA(_DIRECTIONS, svd_solver='randomized', random_state=0).fit(unit[sample])
    return np.asarray((unit @ fitted.components_.T).astype(np.float32))


def neighbours(features: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The nearest others of each image, best first: (cosines, rows), each [N, K] as in `nearest`.

    Args:
        features: float32 [N, D].
        count: neighbours of each; K is smaller where there are fewer others.
    """
    cosines, rows = nearest(features, features, count + 1)
    if not len(rows):
        return cosines, rows
    # Without the image itself, which need not come first where another has equal features.
    itself = rows == np.arange(len(rows))[:, None]
    itself[~itself.any(axis=1), -1] = True
    return cosines[~itself].reshape(len(rows), -1), rows[~itself].reshape(len(rows), -1)
