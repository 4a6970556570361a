"""Which earlier ingestion names the splits that images keep: on records in a real store."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.components.ingestion import split_history
from thawline.components.ingestion.earlier_ingestions import history_digest
from thawline.components.ingestion.params import Split
from thawline.components.ingestion.source_types import SourceSpec
from thawline.components.shared import image_table, metadata_store
from thawline.components.shared.property_names import SPLIT_HISTORY

NODE = 'x.ImageExampleGen'


class Ingestions:
    """A project's ingestions, recorded as TFX's launcher does."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.store = metadata_store.open_sqlite(root / 'metadata.sqlite')

    def _kind(self, name: str, kind: Any) -> int:
        return int(getattr(self.store, f'put_{name}_type')(kind))

    def _contexts(self, node: str) -> list[pb.Context]:
        kind = self._kind('context', pb.ContextType(name='node'))
        return [pb.Context(type_id=kind, name=node)]

    def properties(self, images: str, **changes: Any) -> dict[str, Any]:
        """What an ingestion would have now."""
        spec = {**json.loads(SourceSpec('/data').to_json()), **changes.pop('spec', {})}
        properties = {
            'source_spec': json.dumps(spec), 'split': Split(folds=0).model_dump_json(),
            'max_side': 64, 'code_digest': 'c0de', 'source_fingerprint': images, **changes,
        }  # fmt: skip
        return {name: value for name, value in properties.items() if value is not None}

    def ask(self, images: str, **changes: Any) -> str:
        """What it would be told."""
        return history_digest(self.store, NODE, self.properties(images, **changes))

    def add(
        self,
        images: str,
        state: int = pb.Execution.COMPLETE,
        of: int | None = None,
        node: str = NODE,
        fold: int | None = None,
        **changes: Any,
    ) -> tuple[int, str]:
        """Records an ingestion (or that the cache served one): its Examples, and their digest."""
        properties = self.properties(images, **changes)
        if state != pb.Execution.CACHED:
            properties.setdefault(SPLIT_HISTORY, self.ask(images, **changes))
        else:
            properties = {}
        execution = pb.Execution(
            type_id=self._kind('execution', pb.ExecutionType(name='Gen')), last_known_state=state
        )
        for name, value in properties.items():
            field = 'int_value' if isinstance(value, int) else 'string_value'
            setattr(execution.custom_properties[name], field, value)
        kind = self._kind('artifact', pb.ArtifactType(name='Examples'))
        artifact = pb.Artifact(id=of) if of else pb.Artifact(uri=str(self.root / images))
        artifact.type_id = kind
        if of:
            (artifact,) = self.store.get_artifacts_by_id([of])
        event = pb.Event(type=pb.Event.OUTPUT)
        event.path.steps.add().key = 'examples'
        _, ids, *_ = self.store.put_execution(
            execution,
            [(artifact, event)],
            self._contexts(node),
            reuse_context_if_already_exist=True,
        )
        if not of:
            return ids[0], self.table(images, fold)
        return of, ''

    def table(self, images: str, fold: int | None = None) -> str:
        folder = self.root / images
        folder.mkdir(exist_ok=True)
        table = pa.Table.from_pylist(
            [{'image_id': images, 'group': images, 'split': 'train', 'fold': fold}],
            image_table.SCHEMA,
        )
        pq.write_table(table, folder / 'images.parquet')
        return split_history.digest(table)


@pytest.fixture
def ingestions(tmp_path: pathlib.Path) -> Ingestions:
    return Ingestions(tmp_path)


def test_the_first_ingestion_has_none(ingestions) -> None:
    assert ingestions.ask('A') == split_history.NONE


def test_other_images_keep_the_splits_of_the_newest(ingestions) -> None:
    ingestions.add('A')
    _, newest = ingestions.add('B')
    assert ingestions.ask('C') == newest


def test_the_same_images_are_told_what_they_were_told(ingestions) -> None:
    """So the cache serves A, B, A and B again."""
    _, a = ingestions.add('A')
    ingestions.add('B')
    assert ingestions.ask('A') == split_history.NONE
    assert ingestions.ask('B') == a


def test_the_newest_is_the_one_that_was_used_last(ingestions) -> None:
    number, a = ingestions.add('A')
    ingestions.add('B')
    ingestions.add('A', pb.Execution.CACHED, number)
    assert ingestions.ask('C') == a


@pytest.mark.parametrize(
    'changes',
    [
        {'split': Split(folds=0, seed=1).model_dump_json()},
        {'split': Split(folds=0, train=0.5, val=0.35).model_dump_json()},
        {'split': Split(folds=5).model_dump_json()},
        {'spec': {'group_pattern': '(.)/'}},
        {'spec': {'columns': {'group': 'patient'}}},
    ],
)
def test_other_split_settings_start_anew(ingestions, changes) -> None:
    _, a = ingestions.add('A')
    assert ingestions.ask('A', **changes) == split_history.NONE
    ingestions.add('A', **changes)
    assert ingestions.ask('B') == a


@pytest.mark.parametrize(
    'changes',
    [
        {'code_digest': 'c0de of a new version'},
        {'max_side': 128},
        {'spec': {'normalise_labels': True}},
        {'spec': {'columns': {'label': 'kind'}}},
    ],
)
def test_other_settings_and_versions_keep_the_splits(ingestions, changes) -> None:
    """Also of the same images: with new code the split that they have may not come again."""
    _, a = ingestions.add('A')
    assert ingestions.ask('A', **changes) == a


def test_a_moved_source_is_the_same_one(ingestions) -> None:
    ingestions.add('A')
    _, b = ingestions.add('B')
    assert ingestions.ask('A', spec={'source': '/elsewhere'}) == split_history.NONE
    assert ingestions.ask('C', spec={'source': '/elsewhere'}) == b


def test_ingestions_of_older_versions_are_history(ingestions) -> None:
    """They recorded fewer settings and no history."""
    old = {'spec': {'layout': None, 'columns': {}}, 'library_versions': '{}', SPLIT_HISTORY: ''}
    shares = {'fractions': '{"train": 0.7, "val": 0.15, "test": 0.15}', 'seed': 0, 'split': None}
    _, a = ingestions.add('A', **old, **shares)
    ingestions.add('B', **old, **{**shares, 'seed': 1})
    assert ingestions.ask('A') == a
    assert ingestions.ask('A', split=Split(folds='auto').model_dump_json()) == a


def split(**values: Any) -> dict[str, str]:
    return {'split': Split(**values).model_dump_json()}


def test_folds_are_kept_by_folds(ingestions) -> None:
    _, a = ingestions.add('A', fold=0, **split(folds=5))
    assert ingestions.ask('B', **split(folds=5)) == a
    assert ingestions.ask('B', **split(folds='auto')) == a
    _, b = ingestions.add('B', fold=0, **split(folds=10))
    assert ingestions.ask('C', **split(folds='auto')) == b
    assert ingestions.ask('C', **split(folds=5)) == a
    for other in (
        {'folds': 0}, {'folds': 4}, {'folds': 5, 'seed': 1}, {'folds': 5, 'test': 0.2},
        {'folds': 'auto', 'train': 0.6, 'val': 0.2, 'test': 0.2},
    ):  # fmt: skip
        assert ingestions.ask('C', **split(**other)) == split_history.NONE


def test_what_auto_decided_is_in_the_table(ingestions) -> None:
    _, a = ingestions.add('A', **split(folds='auto'))
    assert ingestions.ask('C', **split(folds=0)) == a
    assert ingestions.ask('C', **split(folds=5)) == split_history.NONE
    _, b = ingestions.add('B', fold=3, **split(folds='auto'))
    assert ingestions.ask('C', **split(folds=0)) == a
    assert ingestions.ask('C', **split(folds=5)) == b
    assert ingestions.ask('C', **split(folds='auto')) == b


def test_what_did_not_succeed_or_belongs_to_others_is_none(ingestions) -> None:
    for state in (pb.Execution.FAILED, pb.Execution.CANCELED, pb.Execution.RUNNING):
        ingestions.add('A', state)
    ingestions.add('B', node='y.ImageExampleGen')
    assert ingestions.ask('C') == split_history.NONE


def test_a_table_that_is_gone(ingestions) -> None:
    """The one before takes its place; without any, that is said."""
    _, a = ingestions.add('A')
    ingestions.add('B')
    (ingestions.root / 'B' / 'images.parquet').unlink()
    assert ingestions.ask('C') == a
    (ingestions.root / 'A' / 'images.parquet').unlink()
    assert ingestions.ask('C') == split_history.LOST
    assert ingestions.ask('B') == a  # the cache may still have it
