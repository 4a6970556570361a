"""Runs the executor of ImageExampleGen by itself, in process."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import tensorflow as tf
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import standard_artifacts

from thawline.components.ingestion.artifacts import Quarantine
from thawline.components.ingestion.component import ImageExampleGen
from thawline.components.ingestion.executor import Executor
from thawline.components.ingestion.source_types import SourceSpec
from thawline.pipeline.engines.beam_options import IN_PROCESS


def ingest(
    spec: SourceSpec, out: pathlib.Path, *beam_args: str, **options: Any
) -> tuple[dict[str, list[tf.train.Example]], dict[str, Any], Quarantine]:
    """Returns the examples by split, the summary, and the quarantine artifact."""
    component = ImageExampleGen(spec, **options)
    examples, quarantine = standard_artifacts.Examples(), Quarantine()
    examples.uri, quarantine.uri = str(out / 'examples'), str(out / 'quarantine')
    executor = Executor(BaseBeamExecutor.Context(beam_pipeline_args=[*IN_PROCESS, *beam_args]))
    executor.Do(
        {}, {'examples': [examples], 'quarantine': [quarantine]}, dict(component.exec_properties)
    )
    assert not (out / 'quarantine' / 'staging').exists()
    summary = json.loads((out / 'quarantine' / 'summary.json').read_text())
    found = {}
    for split in json.loads(examples.split_names):
        files = sorted((out / 'examples' / f'Split-{split}').glob('data_tfrecord-*.gz'))
        records = tf.data.TFRecordDataset([str(f) for f in files], 'GZIP')
        found[split] = [tf.train.Example.FromString(r.numpy()) for r in records]
    return found, summary, quarantine


def strings(examples: list[tf.train.Example], name: str) -> list[str]:
    """A string feature of each example ('' where absent)."""
    values = (e.features.feature[name].bytes_list.value for e in examples)
    return [v[0].decode() if v else '' for v in values]
