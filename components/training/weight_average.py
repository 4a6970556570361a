"""The mean of the weights of several models, which is a model, too.

They began at the same base, so their mean is mostly better than each of them (Wortsman et al.,
"Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing
inference time", ICML 2022). Beside one that is trained on the images of all of them it was not
worse where that was measured (`benchmarks/shipped.md`), and it costs no further training.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from thawline.components.backbones import classifier as model


def assign(
    classifier: model.Classifier, weights: Sequence[Sequence[np.ndarray]], knows: np.ndarray
) -> None:
    """Puts the mean of K models' weights into a classifier of their structure.

    Args:
        classifier: its variables that are no floating-point numbers stay as they are.
        weights: of each model, in the order of the variables of the classifier.
        knows: whether a model has learned a class, bool [K, C]. One that has not denies it, so its
            head does not count for that class.
    """
    variables = classifier.model.variables
    for place, variable in enumerate(variables):
        if np.issubdtype(np.dtype(variable.dtype), np.floating):
            variable.assign(np.mean([each[place] for each in weights], axis=0))
    places = [
        next(place for place, variable in enumerate(variables) if variable is weight)
        for weight in classifier.head.weights
    ]
    kernel, bias = (np.stack([each[place] for each in weights]) for place in places)
    counted = np.where(knows.any(axis=0), knows, True)  # all, where none knows it
    share = counted / counted.sum(axis=0)
    classifier.set_head(
        np.einsum('kc,kdc->dc', share, kernel).astype(np.float32),
        np.einsum('kc,kc->c', share, bias).astype(np.float32),
    )
