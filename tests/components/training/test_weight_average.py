"""The mean of the weights of several models."""

from __future__ import annotations

import numpy as np

from tests.components.training import tiny
from thawline.components.backbones import classifier as model
from thawline.components.training import weight_average


def test_each_class_is_that_of_the_models_that_know_it() -> None:
    classifier = model.build(tiny.backbone(), 'top', 3, 0.2, 0)
    start = [variable.numpy() for variable in classifier.model.variables]
    models = [
        [(w + step).astype(w.dtype) if w.dtype.kind == 'f' else w for w in start]
        for step in (1.0, 2.0, 6.0)
    ]
    knows = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0]], bool)
    weight_average.assign(classifier, models, knows)
    head = {id(weight) for weight in classifier.head.weights}
    kernel, bias = classifier.head.kernel.numpy(), classifier.head.bias.numpy()
    assert kernel.shape[1] == 3 and len(start) > 4
    for variable, before in zip(classifier.model.variables, start, strict=True):
        moved = variable.numpy() - before
        if id(variable) in head:
            # The second model does not know the second class; none knows the third.
            np.testing.assert_allclose(moved[..., 0], 3.0, atol=1e-5)
            np.testing.assert_allclose(moved[..., 1], 3.5, atol=1e-5)
            np.testing.assert_allclose(moved[..., 2], 3.0, atol=1e-5)
        elif before.dtype.kind == 'f':
            np.testing.assert_allclose(moved, 3.0, atol=1e-5)
        else:
            np.testing.assert_array_equal(variable.numpy(), before)
    assert bias.shape == (3,)
