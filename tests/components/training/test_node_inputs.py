"""What the Trainer refuses before it trains."""

from __future__ import annotations

import numpy as np
import pytest

from thawline.components.shared.errors import DataError
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import node_inputs


def features(images: int = 6, views: int = 2) -> LabelledSet:
    ids = np.array([f'{number:032x}'.encode() for number in range(images)], object)
    return LabelledSet(np.ones((images, views, 4), np.float32), np.arange(images) % 2, ids)


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize('view', [0, 1])
def test_features_that_are_no_numbers_are_refused_with_their_image(value: float, view: int) -> None:
    """One fold with such an image would otherwise end the training within scikit-learn."""
    data = features()
    data.values[3, view, 2] = value
    with pytest.raises(DataError, match=f'1 of 6 val images, first for image_id {3:032x}'):
        node_inputs.check_finite('val', data)


def test_finite_features_and_those_that_nothing_learns_from_pass() -> None:
    data = features()
    node_inputs.check_finite('train', data)
    data.values[3] = np.nan
    data.labels[3] = -1  # of a class that train lacks
    node_inputs.check_finite('train', data)
    assert len(data) == 6
