"""The parts of the Exporter that need no TensorFlow."""

from __future__ import annotations

import os
import pathlib

import numpy as np
import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.components.export import hard_links, model_origin, parity, record
from thawline.components.saved_model.card import AbstainThreshold
from thawline.components.shared import metadata_store
from thawline.components.shared.errors import DataError
from thawline.components.statistics.paired import share_difference
from thawline.components.training.record import BaseRecord


def compared(n: int, lost: int, won: int, change: float = 0.2) -> parity.Parity:
    """`lost` images that the SavedModel alone answers right, `won` that the export alone does."""
    labels = np.zeros(n, np.int64)
    reference, answers = labels.copy(), labels.copy()
    answers[:lost] = 1
    reference[lost : lost + won] = 1
    chances = np.full((n, 2), 0.5, np.float32)
    every = np.ones(n, bool)
    return parity.compare(chances + change, answers, chances, reference, labels, every)


def test_parity_counts_what_it_says() -> None:
    found = compared(200, 3, 1)
    assert found.difference == share_difference(3, 1, 200)
    assert found.accuracy == 197 / 200 and found.agreement == 196 / 200
    assert found.largest_change == pytest.approx(0.2) and not found.same
    unlabelled = parity.compare(
        np.zeros((2, 2)), np.array([0, 1]), np.zeros((2, 2)), np.array([0, 1]),
        np.array([-1, -1]), np.zeros(2, bool),
    )  # fmt: skip
    assert unlabelled.difference is None and unlabelled.same


@pytest.mark.parametrize(
    ('n', 'lost', 'won', 'change', 'placed', 'words'),
    [
        (1000, 2, 2, 0.2, True, 'within the tolerance of 2 points'),
        (1000, 40, 0, 0.2, False, 'a loss of more than 2 points cannot be ruled out'),
        (60, 0, 0, 0.2, False, 'with 240 such images it could'),
        (60, 0, 0, 1e-6, True, 'the same answers'),
        (60, 1, 0, 1e-6, False, 'cannot be ruled out'),
        (60, 0, 0, float('nan'), False, 'no numbers'),
    ],
)
def test_verdict_is_on_the_loss_that_cannot_be_ruled_out(
    n: int, lost: int, won: int, change: float, placed: bool, words: str
) -> None:
    found, why = parity.verdict(compared(n, lost, won, change), 0.02)
    assert found is placed and words in why


def test_record_survives_its_file(tmp_path: pathlib.Path) -> None:
    export = record.Export('onnx', False, 'too lossy', 'x 1', 1.5, 2.5, 10, 0.9, -0.1, -0.2, 0.0)
    abstain = AbstainThreshold(0.9, 0.7, 0.5, 0.95, 0.91, 300)
    made = record.ExportsRecord(True, 12.5, 3.0, (export,), abstain, 'on test')
    made.write(tmp_path / 'new')
    assert record.ExportsRecord.read(tmp_path / 'new') == made and made.placed == ()
    (tmp_path / 'new' / record.ExportsRecord.FILE).write_text('{"format": 9}')
    with pytest.raises(DataError, match='not of format 1'):
        record.ExportsRecord.read(tmp_path / 'new')


def test_copies_share_their_bytes_where_they_can(tmp_path: pathlib.Path) -> None:
    source = tmp_path / 'source'
    (source / 'deep').mkdir(parents=True)
    (source / 'deep' / 'file').write_bytes(b'content')
    hard_links.copy(source, tmp_path / 'copy')
    assert os.path.samefile(source / 'deep' / 'file', tmp_path / 'copy' / 'deep' / 'file')
    with pytest.raises(FileExistsError):
        hard_links.copy(source, tmp_path / 'copy')


def test_other_file_system_gets_bytes_of_its_own(tmp_path: pathlib.Path) -> None:
    other = pathlib.Path('/dev/shm')
    if not other.is_dir() or os.stat(other).st_dev == os.stat(tmp_path).st_dev:
        pytest.skip('there is no other file system to copy to')
    (tmp_path / 'source').mkdir()
    (tmp_path / 'source' / 'file').write_bytes(b'content')
    target = other / f'thawline-{os.getpid()}'
    try:
        hard_links.copy(tmp_path / 'source', target)
        assert (target / 'file').read_bytes() == b'content'
    finally:
        (target / 'file').unlink()
        target.rmdir()


def put(store, type_name: str, outputs: list[int], state: int, run: str, **noted: str) -> None:
    kind = pb.ExecutionType(name=type_name)
    execution = pb.Execution(type_id=store.put_execution_type(kind), last_known_state=state)
    for name, value in noted.items():
        execution.custom_properties[name].string_value = value
    runs = store.put_context_type(pb.ContextType(name='pipeline_run'))
    known = store.get_context_by_type_and_name('pipeline_run', run)
    context = known or pb.Context(type_id=runs, name=run)
    events = [
        (pb.Artifact(id=id_, type_id=store.get_artifacts_by_id([id_])[0].type_id),
         pb.Event(type=pb.Event.OUTPUT)) for id_ in outputs
    ]  # fmt: skip
    store.put_execution(execution, events, [context])


def test_origin_is_who_made_it_not_who_took_it_from_the_cache(tmp_path: pathlib.Path) -> None:
    store = metadata_store.open_sqlite(tmp_path / 'metadata.sqlite')
    kind = store.put_artifact_type(pb.ArtifactType(name='Model'))
    model, examples = store.put_artifacts([pb.Artifact(type_id=kind) for _ in range(2)])
    put(store, 'Gen', [examples], pb.Execution.COMPLETE, 'first', source_fingerprint='f00d')
    put(store, 'Trainer', [model], pb.Execution.COMPLETE, 'first')
    put(store, 'Trainer', [model], pb.Execution.CACHED, 'second')
    assert model_origin.run_and_data(store, model, examples) == {'run': 'first', 'data': 'f00d'}
    assert model_origin.run_and_data(None, model, examples) == {}
    base = BaseRecord('b', 'random', 'abc', 32)
    told = model_origin.lineage({'run': 'first'}, 7, base, {'val': (9, 10)}, True)
    assert told.run == 'first' and told.data is None
    assert told.base == {'backbone': 'b', 'weights': 'random', 'weights_digest': 'abc'}
    assert told.accuracy['val'].share == 0.9
