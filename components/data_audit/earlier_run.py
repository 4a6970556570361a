"""The images of the last blessed model, which new ones are held against.

It is the latest blessed model whose embeddings are older than those at hand and others: so a run in
which nothing changed finds the same one again, and is served from the cache.
"""

from __future__ import annotations

import dataclasses
import json
import os

import ml_metadata as mlmd
import numpy as np
from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.components.embedding import embeddings, image_embeddings
from thawline.components.embedding.image_embeddings import ImageEmbeddings
from thawline.components.shared import image_table, lineage, node_names, property_names
from thawline.components.shared.errors import DataError

NONE = ''
_BLESSING = 'blessing'


@dataclasses.dataclass(frozen=True)
class EarlierRun:
    """Where the images of a model are: folders beside those at hand, as TFX numbers them.

    Attributes:
        model: its id.
        embeddings, examples: names of the folders.
    """

    model: int
    embeddings: str
    examples: str

    def to_text(self) -> str:
        """A property of an execution: no path, so that it outlasts a move."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def of_text(cls, text: str) -> EarlierRun | None:
        """What `to_text` wrote; None for anything else."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            return None


def find(store: mlmd.MetadataStore, pipeline: str, present: int) -> EarlierRun | None:
    """The run of the last blessed model on other embeddings than `present`, an artifact's id."""
    context = store.get_context_by_type_and_name('node', f'{pipeline}.{node_names.EVALUATOR}')
    executions = [
        execution.id
        for execution in (store.get_executions_by_context(context.id) if context else ())
        if execution.last_known_state == pb.Execution.COMPLETE
    ]
    blessings = sorted(
        event.artifact_id
        for event in (store.get_events_by_execution_ids(executions) if executions else ())
        if event.type == pb.Event.OUTPUT and event.path.steps[0].key == _BLESSING
    )
    known = store.get_artifacts_by_id(blessings) if blessings else ()
    for blessing in sorted(known, key=lambda artifact: -artifact.id):
        values = blessing.custom_properties
        if values[property_names.BLESSED].int_value != 1:
            continue
        model = values[property_names.CURRENT_MODEL_ID].int_value
        outputs = {step.node: step.outputs for step in lineage.steps(store, [model])}
        embedded = outputs.get(node_names.EMBEDDER, {}).get('embeddings', present)
        examples = outputs.get(node_names.IMAGE_EXAMPLE_GEN, {}).get('examples')
        if embedded < present and examples is not None:
            uris = {artifact.id: artifact.uri for artifact in
                    store.get_artifacts_by_id([embedded, examples])}  # fmt: skip
            names = (os.path.basename(uris[number]) for number in (embedded, examples))
            return EarlierRun(model, *names)
    return None


@dataclasses.dataclass(frozen=True)
class EarlierFeatures:
    """Features of a model's images, and their clusters: str [N]."""

    model: int
    embedded: ImageEmbeddings
    clusters: np.ndarray


def read(run: EarlierRun, embeddings_uri: str, examples_uri: str) -> EarlierFeatures | None:
    """Reads the images of an earlier run.

    Args:
        run: of `find`.
        embeddings_uri, examples_uri: artifacts at hand, beside which those of the run are.

    Returns:
        None where they are gone, or their features are of another base, code or library.
    """
    uri = os.path.join(os.path.dirname(embeddings_uri), run.embeddings)
    try:
        key = embeddings.read_spec(uri).key
        if key is None or key != embeddings.read_spec(embeddings_uri).key:
            return None
        embedded = image_embeddings.read(uri)
    except DataError:
        return None
    table = image_table.read(os.path.join(os.path.dirname(examples_uri), run.examples))
    cluster_of: dict[str, str] = {}
    for row in table.to_pylist() if table is not None else ():
        cluster_of[row['image_id']] = row['cluster'] or row['group'] or row['image_id']
    clusters = np.array([cluster_of.get(name, name) for name in embedded.ids.tolist()], str)
    return EarlierFeatures(run.model, embedded, clusters)
