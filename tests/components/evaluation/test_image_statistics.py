"""Tertiles from what TFDV writes."""

from __future__ import annotations

import pathlib

import numpy as np
import pandas as pd
import pytest
import tensorflow_data_validation as tfdv

from thawline.components.evaluation import image_statistics


def test_tertiles_of_train_and_the_columns_that_came_along(tmp_path: pathlib.Path) -> None:
    rng = np.random.default_rng(0)
    frames = {}
    for split, n, shift in (('train', 3000, 0.0), ('val', 50, 5.0)):
        frames[split] = pd.DataFrame(
            {
                'brightness': rng.uniform(shift, 1 + shift, n),
                'width': rng.integers(100, 200, n),
                'height': np.full(n, 120),
                f'meta_{split}': ['a'] * n,
            }
        )
    for split, frame in frames.items():
        (tmp_path / split).mkdir()
        message = tfdv.generate_statistics_from_dataframe(frame)
        (tmp_path / split / 'FeatureStats.pb').write_bytes(message.SerializeToString())
    statistics = image_statistics.read({split: str(tmp_path / split) for split in frames})
    assert statistics.images == {'train': 3000, 'val': 50}
    assert statistics.metadata == ('meta_train', 'meta_val')
    assert statistics.edges.keys() == {'brightness_bucket', 'size_bucket'}
    assert statistics.edges['brightness_bucket'] == pytest.approx((1 / 3, 2 / 3), abs=0.02)
    # The longer side is mostly the width.
    assert statistics.edges['size_bucket'] == pytest.approx((133, 167), abs=3)
