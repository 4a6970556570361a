"""New images beside those of the last blessed model, and which model that is."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from ml_metadata.proto import metadata_store_pb2 as pb

from tests.components.data_audit import audited
from tests.components.training import tiny
from tests.made_runs import Runs
from thawline.components.data_audit import audit, earlier_run, new_images
from thawline.components.data_audit.earlier_run import EarlierFeatures, EarlierRun
from thawline.components.embedding.embeddings import Spec
from thawline.components.embedding.image_embeddings import ImageEmbeddings
from thawline.components.shared import image_table
from thawline.components.shared.feature_key import FeatureKey
from thawline.components.shared.labelled_set import LabelledSet

PRESENT = audited.images(40)


def earlier(count: int = 60) -> EarlierFeatures:
    """The first images of `PRESENT`, of all classes."""
    rows = np.random.default_rng(0).permutation(len(PRESENT))[:count]
    embedded = ImageEmbeddings(
        PRESENT.ids[rows], PRESENT.splits[rows], PRESENT.labels[rows], PRESENT.features[rows]
    )
    return EarlierFeatures(12, embedded, PRESENT.clusters[rows])


def test_new_images_of_the_same_kind_are_no_finding() -> None:
    new = new_images.compare(PRESENT, earlier())
    assert new is not None and new.model == 12
    assert 30 < new.images <= 60 and not new.differ
    record, _ = audit.audit(PRESENT, audited.QUICK, lambda rows: {}, earlier())
    assert record.new == new and not [f for f in record.findings if 'new images' in f.message]


def test_new_images_that_differ_are_a_finding() -> None:
    before = earlier()
    moved = PRESENT.features.copy()
    moved[~np.isin(PRESENT.ids, before.embedded.ids), 10:] += 1.5
    present = dataclasses.replace(PRESENT, features=moved)
    new = new_images.compare(present, before)
    assert new is not None and new.differ and new.auroc > 0.9 and new.p_value < 0.01
    stopping = audited.QUICK.model_copy(update={'new_images': 'stop'})
    record, _ = audit.audit(present, stopping, lambda rows: {}, before)
    (finding,) = [f for f in record.findings if f.fatal]
    for text in (f'{new.images} new images', 'model 12', f'{new.auroc:.2f}'):
        assert text in finding.message


def test_few_new_images_are_not_judged() -> None:
    assert new_images.compare(PRESENT, earlier(len(PRESENT))) is None
    assert new_images.compare(PRESENT, earlier(len(PRESENT) - 10)) is None
    one = dataclasses.replace(PRESENT, clusters=np.full(len(PRESENT), 'burst'))
    assert new_images.compare(one, earlier()) is None


def blessed_run(runs: Runs, name: str, blessed: bool, embedded: pb.Artifact | None = None) -> int:
    """Records the nodes of a run up to its blessing; returns the id of its model."""
    folder = runs.output / name
    examples = runs._record(name, 'ImageExampleGen', 'examples', folder / 'examples' / '1')
    embedded = embedded or runs._record(
        name, 'Embedder', 'embeddings', folder / 'embeddings' / name, {'examples': examples}
    )
    model = runs._record(name, 'Trainer', 'model', folder / 'model', {'embeddings': embedded})
    decision = runs._record(name, 'Evaluator', 'blessing', folder / 'blessing', {'model': model})
    (stored,) = runs.store.get_artifacts_by_id([decision.id])
    stored.custom_properties['blessed'].int_value = int(blessed)
    stored.custom_properties['current_model_id'].int_value = model.id
    runs.store.put_artifacts([stored])
    return int(model.id)


def test_the_last_blessed_model_on_earlier_embeddings(tmp_path: pathlib.Path) -> None:
    runs = Runs(tmp_path)
    assert earlier_run.find(runs.store, 'x', 1) is None
    first = blessed_run(runs, 'a', True)
    blessed_run(runs, 'b', False)
    second = blessed_run(runs, 'c', True)
    present = runs._record('d', 'Embedder', 'embeddings', tmp_path / 'd')
    resolved = earlier_run.find(runs.store, 'x', present.id)
    assert resolved == EarlierRun(second, 'c', '1')
    assert EarlierRun.of_text(resolved.to_text()) == resolved
    # After this run is blessed, or is run again, the same one is resolved.
    blessed_run(runs, 'd', True, present)
    assert earlier_run.find(runs.store, 'x', present.id) == resolved
    (of_c,) = [a for a in runs.store.get_artifacts_by_type('embeddings') if a.uri.endswith('/c')]
    earliest = earlier_run.find(runs.store, 'x', of_c.id)
    assert earliest is not None and earliest.model == first
    assert earlier_run.find(runs.store, 'another', present.id) is None
    for text in ('', 'unread-1', '[]', '{"model": 1}'):
        assert EarlierRun.of_text(text) is None


def write_embeddings(folder: pathlib.Path, key: FeatureKey | None) -> None:
    folder.mkdir(parents=True)
    spec = Spec('tiny', 'random', 32, 'top', 'none', 0, 0, 4, {'train': 3}, 'digest', 1.0, key)
    ids = np.array([b'a', b'b', b'c'], object)
    images = LabelledSet(np.ones((3, 1, 4), np.float32), np.zeros(3, np.int64), ids)
    tiny.write_embeddings(folder, spec, {'train': images})


def test_an_earlier_run_lies_beside_the_one_at_hand(tmp_path: pathlib.Path) -> None:
    key = FeatureKey('digest', 'top', 32, 'stretch', 'code', '{}')
    write_embeddings(tmp_path / 'embeddings' / '3', key)
    write_embeddings(tmp_path / 'embeddings' / '9', key)
    write_embeddings(tmp_path / 'embeddings' / '10', dataclasses.replace(key, code='other'))
    (tmp_path / 'examples' / '1').mkdir(parents=True)
    rows = [{'image_id': 'a', 'group': 'g', 'cluster': 'k'}, {'image_id': 'b', 'group': 'g'}]
    pq.write_table(
        pa.Table.from_pylist(rows, image_table.SCHEMA), tmp_path / 'examples/1/images.parquet'
    )
    at_hand = str(tmp_path / 'embeddings' / '9'), str(tmp_path / 'examples' / '7')
    resolved = earlier_run.read(EarlierRun(12, '3', '1'), *at_hand)
    assert resolved is not None and resolved.model == 12
    assert resolved.clusters.tolist() == ['k', 'g', 'c'] and resolved.embedded.features.shape == (
        3,
        4,
    )
    alone = earlier_run.read(EarlierRun(12, '3', '2'), *at_hand)  # its Examples are gone
    assert alone is not None and alone.clusters.tolist() == ['a', 'b', 'c']
    assert earlier_run.read(EarlierRun(12, '4', '1'), *at_hand) is None
    other = str(tmp_path / 'embeddings' / '10'), at_hand[1]
    assert earlier_run.read(EarlierRun(12, '3', '1'), *other) is None
