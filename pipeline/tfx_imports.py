"""The one place that imports TFX, in the one order that works, and checks that all of it came.

TFX sets a component to None when its import fails, and the failure shows much later as "NoneType is
not callable". `tensorflow_transform` sets TF_USE_LEGACY_KERAS for the process: the project uses
`keras` (version 3) alone, so that does not matter, but nothing may import `tf.keras`.

Everything comes from where it is defined and not from `tfx.v1`, whose import pulls in Google Cloud
AI Platform and doubles the start-up time of every run (measured: 23 s against 11 s).

The garbage collector waits meanwhile: it would look at millions of new objects again and again and
find next to nothing (5.2 s of processor time against 6.6 s). What is there then is there for good,
and no later collection looks at it.
"""

from __future__ import annotations

import gc
import os

_was_enabled = gc.isenabled()
gc.disable()
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
os.environ.setdefault('KERAS_BACKEND', 'tensorflow')

from tfx.components import ExampleValidator, SchemaGen, StatisticsGen
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline
from tfx.types import standard_artifacts

from tensorflow_data_validation import StatsOptions  # isort: skip - after TFX

__all__ = [
    'ExampleValidator',
    'ImportSchemaGen',
    'LocalDagRunner',
    'Pipeline',
    'SchemaGen',
    'StatisticsGen',
    'StatsOptions',
    'standard_artifacts',
]

gc.freeze()
if _was_enabled:
    gc.enable()

_missing = [name for name in __all__ if globals()[name] is None]
if _missing:
    raise ImportError(f'TFX could not import {", ".join(_missing)}; run: thawline doctor')
