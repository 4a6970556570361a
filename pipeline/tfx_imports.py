"""The one place that imports TFX, in the one order that works, and checks that all of it came.

TFX sets a component to None when its import fails, and the failure shows much later as "NoneType is
not callable". `tensorflow_transform` sets TF_USE_LEGACY_KERAS for the process: the project uses
`keras` (version 3) alone, so that does not matter, but nothing may import `tf.keras`.
"""

from __future__ import annotations

import os

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
os.environ.setdefault('KERAS_BACKEND', 'tensorflow')

from tfx import v1 as tfx  # noqa: E402

_NEEDED = (
    'StatisticsGen', 'SchemaGen', 'ImportSchemaGen', 'ExampleValidator', 'Transform', 'Trainer',
    'Evaluator', 'Pusher',
)  # fmt: skip
for _name in _NEEDED:
    if getattr(tfx.components, _name, None) is None:
        raise ImportError(f'TFX component {_name} could not be imported; run: thawline doctor')

__all__ = ['tfx']
