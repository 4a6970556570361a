"""Statistics as StatisticsGen makes them, of images that are rows of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import tensorflow_data_validation as tfdv

from thawline.components.data_gate.split_statistics import Statistics

CLASSES = ('cat', 'grüne "Katze"', '🐈')


def of_rows(columns: Mapping[str, Sequence[Any]]) -> Statistics:
    """Of one split; None is an empty cell."""
    options = tfdv.StatsOptions(use_sketch_based_topk_uniques=True)
    return tfdv.generate_statistics_from_dataframe(
        pd.DataFrame(dict(columns)), n_jobs=1, stats_options=options
    )


def rows(images: int = 60, **columns: Any) -> dict[str, list[Any]]:
    """Images with all facts; a column is one value for all, or one for each; None drops it."""
    values: dict[str, Any] = {
        'label': [CLASSES[i % 3] for i in range(images)],
        'image_id': [f'{i:032x}' for i in range(images)],
        'path': [f'{i}.jpg' for i in range(images)],
        'group': [f'{i}' for i in range(images)],
        'cluster': [f'{i}' for i in range(images)],
        'image': b'encoded',
        'split': 'train',
        'source_format': ['JPEG'] * images,
        'height': [256 + i % 50 for i in range(images)],
        'width': [300] * images,
        'brightness': [0.3 + 0.4 * i / images for i in range(images)],
        'contrast': [0.2] * images,
        'sharpness': [0.01] * images,
        'meta_site': ['north'] * (images - 6) + ['south'] * 6,
        **columns,
    }
    return {
        name: column if isinstance(column, list) else [column] * images
        for name, column in values.items()
        if column is not None
    }


def splits(**columns: Any) -> dict[str, Statistics]:
    """Train and val, of the same columns."""
    return {'train': of_rows(rows(**columns)), 'val': of_rows(rows(**columns))}
