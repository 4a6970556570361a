"""Names of the nodes of the chain, in the order in which they run."""

from __future__ import annotations

IMAGE_EXAMPLE_GEN = 'ImageExampleGen'
STATISTICS_GEN = 'StatisticsGen'
SCHEMA_GEN = 'SchemaGen'
IMPORT_SCHEMA_GEN = 'ImportSchemaGen'  # instead of SchemaGen, where there is a reviewed schema
EXAMPLE_VALIDATOR = 'ExampleValidator'
DATA_GATE = 'DataGate'
TRANSFORM = 'Transform'
EMBEDDER = 'Embedder'
DATA_AUDIT = 'DataAudit'
TUNER = 'Tuner'
TUNED = 'Tuned'  # finds what a Tuner chose earlier
TRAINER = 'Trainer'
BASELINE = 'Baseline'
EVALUATOR = 'Evaluator'
EXPORTER = 'Exporter'
SERVING_CHECK = 'ServingCheck'
PUSHER = 'Pusher'
LAST_REPORT = 'LastReport'
REPORT = 'Report'
UNLABELLED_EXAMPLE_GEN = 'UnlabelledExampleGen'
BULK_INFERRER = 'BulkInferrer'
