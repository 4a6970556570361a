"""TFX's Transform with bounded batches."""

from __future__ import annotations

from tfx.components import Transform
from tfx.components.transform import executor as tfx_transform
from tfx.dsl.components.base import executor_spec

# Beam would grow batches to 1,000 examples; at 300 x 300 pixels that is 270 MB a worker thread.
_BATCH = 64


class Executor(tfx_transform.Executor):
    """TFX's executor with batches of 64 images."""

    def _GetDesiredBatchSize(self, *args: object) -> int:  # noqa: N802 - the name is TFX's
        return _BATCH


class ImageTransform(Transform):
    """TFX's Transform in everything but the size of its batches."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)
