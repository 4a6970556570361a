"""Arrays as serialized tf.Examples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder


def encode(features: Mapping[str, np.ndarray]) -> list[bytes]:
    """Serialized tf.Examples, one an image.

    Args:
        features: by name: [n] or [n, d] of bytes as object, int64 or float32.
    """
    columns = {name: _column(values) for name, values in features.items()}
    batch = pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
    return list(RecordBatchToExamplesEncoder().encode(batch))


def _column(values: np.ndarray) -> pa.ListArray:
    """A list of values an image."""
    images = len(values)
    flat = values.reshape(-1)
    ends = np.arange(images + 1, dtype=np.int32) * (len(flat) // max(images, 1))
    content = pa.array(list(flat), pa.binary()) if flat.dtype == object else pa.array(flat)
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), content)
