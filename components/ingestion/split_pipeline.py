"""The second Beam pipeline of ingestion: what `beam_pipeline` read is shared out over the splits.

Image bytes never cross a shuffle or a side input, so memory does not grow with the data.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import tensorflow as tf
from apache_beam.utils import shared

from thawline.components.ingestion import examples, image_reading, storage
from thawline.components.ingestion.beam_pipeline import NO_COMPRESSION
from thawline.components.ingestion.image_reading import Settings
from thawline.components.ingestion.split_plan import SplitPlan
from thawline.components.shared import image_table
from thawline.components.shared.content_store import Namespace, Records
from thawline.components.shared.gzipped_records import WriteGzippedRecords
from thawline.components.shared.stored_fn import StoredFn

_PLAN_IN_PIPELINE = 1_000_000  # bytes of a plan that may be a part of the pipeline, too


def write(
    root: beam.Pipeline,
    source: str,
    plan: SplitPlan,
    images: Settings,
    split_folders: dict[str, str],
    uri: str,
    namespace: Namespace | None = None,
) -> None:
    """Adds the pipeline: `source`/examples-* to `split_folders`, their table to `uri`.

    `namespace`: of the store, for images of more than 8 bits.
    """
    portable = _portable(plan, source)
    splits = (
        root
        | beam.io.ReadFromTFRecord(
            storage.join(source, 'examples-*'), compression_type=NO_COMPRESSION
        )
        | 'Split'
        >> beam.ParDo(_Split(portable, images, namespace)).with_outputs('images', *split_folders)
    )
    for name, folder in split_folders.items():
        target = storage.join(folder, 'data_tfrecord')
        splits[name] | f'Write {name}' >> WriteGzippedRecords(target)
    splits['images'] | 'Images' >> beam.io.WriteToParquet(
        storage.join(uri, image_table.PREFIX),
        image_table.SCHEMA,
        file_name_suffix=image_table.SUFFIX,
        num_shards=1,
        shard_name_template='',
    )


def _portable(plan: SplitPlan, target: str) -> bytes | str:
    """The plan for the pipeline, or the path in `target` of one that is too long for a message."""
    content = pickle.dumps(plan)
    if len(content) <= _PLAN_IN_PIPELINE:
        return content
    path: str = storage.join(target, 'plan')
    with tf.io.gfile.GFile(path, 'wb') as file:
        file.write(content)
    return path


def scaled(serialised: bytes, images: Settings, records: Records) -> tf.train.Example:
    """A staged example, its image made anew by the depth of the set where it kept its source."""
    example = tf.train.Example.FromString(serialised)
    if source := examples.take_source(example):
        decoded = image_reading.decode_once(source, images, records)
        examples.set_image(example, decoded)
    return example


class _Split(StoredFn):
    """Serialised example -> the same with its split, to the output named like it, and its row."""

    def __init__(
        self,
        plan: bytes | str,
        images: Settings,
        namespace: Namespace | None,
    ) -> None:
        """`plan`: as `_portable` returns it."""
        super().__init__(namespace)
        self._portable, self._images = plan, images
        self._shared = shared.Shared()

    def setup(self) -> None:
        """Reads the plan, once for all threads of a process."""
        super().setup()
        self._plan = self._shared.acquire(self._read)
        self._gone = {r.path for r in self._plan.rejected}

    def _read(self) -> SplitPlan:
        content = self._portable
        if isinstance(content, str):
            with tf.io.gfile.GFile(content, 'rb') as file:
                content = file.read()
        plan: SplitPlan = pickle.loads(content)
        return plan

    def process(self, serialised: bytes) -> Iterator[Any]:
        example = scaled(serialised, self._images, self.records)
        if examples.text(example, 'path') in self._gone:
            return
        group = examples.text(example, 'group') or ''
        plan = self._plan
        split, fold, cluster = plan.split_of(group), plan.fold_of(group), plan.cluster_of(group)
        source_label = examples.take_source_label(example, plan.classes)
        yield beam.pvalue.TaggedOutput(
            split, examples.with_split(example, split, cluster, plan.classes, fold)
        )
        yield beam.pvalue.TaggedOutput('images', examples.table_row(example, source_label))
