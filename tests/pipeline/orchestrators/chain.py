"""The nodes of the whole chain, as a compiled pipeline lists them."""

from __future__ import annotations

from thawline.pipeline.runners import compiled_file

CHAIN = (
    ('ImageExampleGen', (), True),
    ('StatisticsGen', ('ImageExampleGen',), True),
    ('SchemaGen', ('StatisticsGen',), False),
    ('ExampleValidator', ('SchemaGen', 'StatisticsGen'), False),
    ('DataGate', ('ExampleValidator', 'ImageExampleGen', 'StatisticsGen'), False),
    ('Transform', ('DataGate', 'ImageExampleGen', 'SchemaGen'), True),
    ('Embedder', ('Transform',), True),
    ('DataAudit', ('Embedder', 'ImageExampleGen'), False),
    ('Trainer', ('DataAudit', 'Embedder', 'SchemaGen', 'Transform'), False),
    ('Baseline', ('Trainer',), False),
    ('Evaluator', ('Baseline', 'Embedder', 'ImageExampleGen', 'StatisticsGen', 'Trainer'), True),
    ('Exporter', ('Evaluator', 'ImageExampleGen', 'Trainer', 'Transform'), False),
    ('ServingCheck', ('Evaluator', 'Exporter', 'ImageExampleGen'), False),
    ('Pusher', ('Evaluator', 'Exporter', 'ServingCheck'), False),
    ('LastReport', ('Pusher', 'Trainer'), False),
    ('Report', ('DataAudit', 'DataGate', 'Embedder', 'Exporter', 'LastReport', 'Pusher'), False),
)
NODES = [
    compiled_file.CompiledNode(id=name, upstream=before, beam=beam) for name, before, beam in CHAIN
]
NAMES = [node.id for node in NODES]
