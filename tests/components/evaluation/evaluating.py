"""Examples, statistics and models as the nodes before leave them, and the Evaluator run on them."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import pathlib
import shutil
import types
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf
import tensorflow_data_validation as tfdv
from tfx.dsl.components.base import base_beam_executor
from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact

from tests import once
from tests.components.training import tiny
from tests.components.transformed import RESIZE, SIZE, Row, Transformed
from thawline.components.backbones import classifier
from thawline.components.embedding.artifacts import Embeddings
from thawline.components.evaluation import executor, predictions
from thawline.components.evaluation.gate.params import Gate
from thawline.components.evaluation.params import Evaluation
from thawline.components.ingestion import examples, image_reading
from thawline.components.ingestion.source_types import SourceItem
from thawline.components.saved_model import signatures
from thawline.components.saved_model.decision_rule import Rule
from thawline.components.saved_model.runner import SavedModelRunner
from thawline.components.shared import image_table
from thawline.components.shared.held_out_answers import HeldOutAnswers
from thawline.components.statistics.proportions import Interval
from thawline.pipeline.engines.beam_options import IN_PROCESS

import tensorflow_model_analysis as tfma  # isort: skip - not whole before tfx

MODEL_ID, BASELINE_ID = 7, 3


def example(
    row: Row, split: str, metadata: Mapping[str, str] | None = None, group: str | None = None
) -> bytes:
    """The row as ingestion writes it; without a label where it has an empty one."""
    decoded = image_reading.decode(row.image, image_reading.Settings(1024, 10**6))
    item = SourceItem(
        '', f'{row.image_id}.png', row.label or None, group=group, metadata=dict(metadata or {})
    )
    message = examples.to_example(item, row.image_id, decoded)
    return examples.with_split(
        message, split, cluster=examples.text(message, 'group') or '', classes={}
    )


def write_examples(folder: pathlib.Path, splits: Mapping[str, Sequence[bytes]]) -> Artifact:
    """Shards of each split; two, so that something has to be put together again; and the table."""
    for split, some in splits.items():
        (folder / f'Split-{split}').mkdir(parents=True)
        for shard in range(2):
            path = folder / f'Split-{split}' / f'data_tfrecord-{shard:05}-of-00002.gz'
            with tf.io.TFRecordWriter(str(path), 'GZIP') as writer:
                for serialized in some[shard::2]:
                    writer.write(serialized)
    rows = [
        examples.table_row(tf.train.Example.FromString(serialized))
        for some in splits.values()
        for serialized in some
    ]
    pq.write_table(pa.Table.from_pylist(rows, image_table.SCHEMA), folder / 'images.parquet')
    artifact = new_artifact(standard_artifacts.Examples, folder, 1)
    artifact.split_names = str(sorted(splits)).replace("'", '"')
    return artifact


def write_statistics(folder: pathlib.Path, splits: Mapping[str, Sequence[bytes]]) -> Artifact:
    """What TFDV says of numbers and metadata."""
    for split, some in splits.items():
        rows = []
        for serialized in some:
            parsed = tf.train.Example.FromString(serialized)
            names = ('brightness', 'contrast', 'sharpness', 'width', 'height')
            row: dict[str, Any] = {name: float(examples.text(parsed, name) or 0) for name in names}
            metadata = [name for name in parsed.features.feature if name.startswith('meta_')]
            rows.append(row | {name: examples.text(parsed, name) for name in metadata})
        statistics = tfdv.generate_statistics_from_dataframe(pd.DataFrame(rows))
        (folder / f'Split-{split}').mkdir(parents=True)
        (folder / f'Split-{split}' / 'FeatureStats.pb').write_bytes(statistics.SerializeToString())
    artifact = new_artifact(standard_artifacts.ExampleStatistics, folder, 2)
    artifact.split_names = str(sorted(splits)).replace("'", '"')
    return artifact


def new_artifact(kind: type[Artifact], folder: pathlib.Path, number: int) -> Artifact:
    artifact = kind()
    artifact.uri, artifact.id = str(folder), number
    return artifact


def exported(
    folder: pathlib.Path,
    transformed: Transformed,
    classes: tuple[str, ...],
    rule: Rule | None = None,
    seed: int = 0,
    kernel: float = 4.0,
) -> pathlib.Path:
    """A model with a random head, where TFX's Trainer would put it; returns the artifact's folder.

    It is a copy: each model is made once for all that ask for it with these images.

    Args:
        kernel: size of the head's weights; NaN for a training that diverged.
    """
    key = hashlib.sha256(repr((classes, rule, seed, kernel)).encode()).hexdigest()[:16]
    original = transformed.folder.parent / 'models' / key
    with once.making(original) as is_first:
        if is_first:
            _export(original, transformed, classes, rule, seed, kernel)
    shutil.copytree(original / 'Format-Serving', folder / 'Format-Serving')
    return folder


def _export(
    folder: pathlib.Path,
    transformed: Transformed,
    classes: tuple[str, ...],
    rule: Rule | None,
    seed: int,
    kernel: float,
) -> None:
    model = classifier.build(tiny.backbone(side=SIZE), 'top', len(classes), 0.2, seed=seed)
    weights = np.random.default_rng(seed).normal(size=(8, len(classes)))
    model.set_head((kernel * weights).astype(np.float32), np.zeros(len(classes), np.float32))
    signatures.export(
        model, classes, transformed.output, SIZE, RESIZE, folder / 'Format-Serving', rule
    )


def serve(folder: pathlib.Path, some: Sequence[bytes]) -> dict[str, np.ndarray]:
    """What the exported model itself answers."""
    return _loaded(folder / 'Format-Serving')('serving_default', examples=list(some))


@functools.lru_cache(maxsize=2)
def _loaded(folder: pathlib.Path) -> SavedModelRunner:
    """A model that several splits are given to; no test here changes one."""
    return SavedModelRunner(folder)


@dataclasses.dataclass(frozen=True)
class Evaluated:
    """What the Evaluator leaves behind."""

    evaluation: Artifact
    blessing: Artifact

    @property
    def predictions(self) -> predictions.Predictions:
        return predictions.read(self.evaluation.uri)


def evaluate(
    folder: pathlib.Path,
    splits: Mapping[str, Sequence[bytes]],
    candidate: pathlib.Path,
    baseline: pathlib.Path | None = None,
    gate: Gate | None = None,
    settings: Evaluation | None = None,
    embeddings: str | None = None,
    baseline_seen: Mapping[str, Sequence[bytes]] | None = types.MappingProxyType({}),
    baseline_evaluation: pathlib.Path | None = None,
    held_out: HeldOutAnswers | None = None,
) -> Evaluated:
    """Runs the executor as TFX does, statistics being those of val for train too.

    Args:
        baseline_seen: images that the baseline learned from; None where nothing is known of them.
        baseline_evaluation: folder of the record of the baseline's files.
        held_out: the answers that the Trainer held out.
    """
    examples_artifact = write_examples(folder / 'examples', splits)
    (folder / 'earlier').mkdir()
    earlier = write_examples(folder / 'earlier', baseline_seen or {})
    if baseline_seen is None:
        (folder / 'earlier' / 'images.parquet').unlink()
    inputs = {
        'examples': [examples_artifact],
        'seen_examples': [examples_artifact],
        'baseline_seen_examples': [earlier] if baseline else [],
        'statistics': [write_statistics(folder / 'statistics', {**splits, 'train': splits['val']})],
        'model': [new_artifact(standard_artifacts.Model, candidate, MODEL_ID)],
        'embeddings': (
            [new_artifact(Embeddings, pathlib.Path(embeddings), 4)] if embeddings else []
        ),
        'baseline_model': (
            [new_artifact(standard_artifacts.Model, baseline, BASELINE_ID)] if baseline else []
        ),
    }
    if baseline_evaluation:
        inputs['baseline_evaluation'] = [
            new_artifact(standard_artifacts.ModelEvaluation, baseline_evaluation, 5)
        ]
    if held_out is not None:
        (folder / 'model_run').mkdir()
        held_out.write(folder / 'model_run')
        inputs['model_run'] = [new_artifact(standard_artifacts.ModelRun, folder / 'model_run', 6)]
    outputs = {
        'evaluation': [new_artifact(standard_artifacts.ModelEvaluation, folder / 'evaluation', 8)],
        'blessing': [new_artifact(standard_artifacts.ModelBlessing, folder / 'blessing', 9)],
    }
    context = base_beam_executor.BaseBeamExecutor.Context(
        beam_pipeline_args=list(IN_PROCESS), tmp_dir=str(folder / 'tmp'), unique_id='1'
    )
    properties = {
        'gate': (gate or Gate()).model_dump_json(),
        'slicing': (settings or Evaluation()).model_dump_json(),
        'code_digest': '',
    }
    executor.Executor(context).Do(inputs, outputs, properties)
    return Evaluated(outputs['evaluation'][0], outputs['blessing'][0])


def interval(uri: str, split: str) -> Interval | None:
    """Accuracy on a split, as TFMA has it; None where there is no such slice."""
    for key, sections in tfma.load_eval_result(uri).slicing_metrics:
        if key == (('split', split),):
            names = ('accuracy', 'accuracy_lower_bound', 'accuracy_upper_bound', 'images')
            values = [sections[''][''][name]['doubleValue'] for name in names]
            return Interval(*values[:3], n=int(values[3]))
    return None
