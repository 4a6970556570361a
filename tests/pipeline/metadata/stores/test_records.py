"""What is written to a real PostgreSQL comes back as it was."""

from __future__ import annotations

import math
import multiprocessing
import os
import pathlib
import threading

import ml_metadata as mlmd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ml_metadata.proto import metadata_store_pb2 as pb

from tests import postgresql
from tests.pipeline.metadata.test_runs import record
from thawline.components.shared import metadata_store
from thawline.components.shared.errors import ConfigError
from thawline.pipeline.metadata import runs as metadata
from thawline.pipeline.metadata.stores import connection, postgresql_tables
from thawline.pipeline.metadata.stores import postgresql as server

pytestmark = [postgresql.needs_postgresql, pytest.mark.slow]

TEXTS = st.text(st.characters(exclude_characters='\0', exclude_categories=['Cs']))


@pytest.fixture(scope='module')
def store(running):
    """ML Metadata on a database whose tables are adapted."""
    described = running.described()
    with server.session(described) as session:
        assert postgresql_tables.create_tables(session, described)
    return metadata_store.open_store(connection.with_password(described))


def round_trip(store, **values: object) -> pb.Artifact:
    kind = store.put_artifact_type(pb.ArtifactType(name='Any'))
    made = pb.Artifact(type_id=kind, uri='C:\\folder\\"name"')
    fields = {bool: 'bool_value', int: 'int_value', float: 'double_value', str: 'string_value'}
    for name, value in values.items():
        setattr(made.custom_properties[name], fields[type(value)], value)
    (id_,) = store.put_artifacts([made])
    (found,) = store.get_artifacts_by_id([id_])
    assert found.uri == made.uri
    assert found.custom_properties == made.custom_properties
    return found


@settings(max_examples=60)
@given(TEXTS)
def test_any_text_comes_back(store, text):
    round_trip(store, text=text, around=f'{{"a": "{text}\\"}}')


@settings(max_examples=40)
@given(st.integers(-(2**63), 2**63 - 1), st.booleans())
def test_any_number_comes_back(store, number, flag):
    round_trip(store, number=number, flag=flag)


def test_long_texts_of_many_kinds_come_back(store):
    """Over 2,700 bytes that do not compress, ML Metadata's own index would refuse them."""
    import random

    long = ''.join(chr(random.Random(1).randrange(0x4E00, 0x9FFF)) for _ in range(1))
    long += random.Random(2).randbytes(50_000).hex()
    found = round_trip(store, long=long)
    assert math.isclose(len(found.custom_properties['long'].string_value), 100_001)


def test_steps_of_a_path_come_back_in_order(running):
    """PostgreSQL has no order of its own: here a row goes behind the one after it."""
    described = running.described()
    with server.session(described, seconds=60) as session:
        postgresql_tables.create_tables(session, described)
        store = metadata_store.open_store(connection.with_password(described))
        record(store, 'r1', 'Trainer', pb.Execution.COMPLETE, model={'kept': 'probe'})
        session.run(
            'with gone as (delete from eventpath where not is_index_step returning *) '
            'insert into eventpath select * from gone'
        )
        plain = mlmd.MetadataStore(connection.with_password(described))
        (event,) = plain.get_events_by_artifact_ids([1])
        assert [step.WhichOneof('value') for step in event.path.steps] == ['index', 'key']
    (event,) = store.get_events_by_artifact_ids([1])
    assert [step.WhichOneof('value') for step in event.path.steps] == ['key', 'index']
    assert metadata.read_runs(store, 'p')[0].output('Trainer', 'model') is not None


def test_records_come_back_by_number_whichever_was_changed_last(running):
    """TFX pairs outputs that it serves from the cache with their keys by place."""
    described = running.described()
    with server.session(described, seconds=60) as session:
        postgresql_tables.create_tables(session, described)
    store = metadata_store.open_store(connection.with_password(described))
    kind = store.put_artifact_type(pb.ArtifactType(name='Model'))
    ids = store.put_artifacts([pb.Artifact(type_id=kind, uri=str(n)) for n in range(4)])
    (first,) = store.get_artifacts_by_id(ids[:1])
    first.uri = 'changed'
    store.put_artifacts([first])
    plain = mlmd.MetadataStore(connection.with_password(described))
    assert [one.id for one in plain.get_artifacts_by_id(ids)] != ids, 'nothing to put in order'
    assert [one.id for one in store.get_artifacts_by_id(ids)] == ids
    assert [one.id for one in store.get_artifacts_by_type('Model')] == ids


def test_the_password_is_in_no_log_of_any_level(running, caplog):
    described = running.described()
    with (
        caplog.at_level('DEBUG'),
        caplog.at_level('DEBUG', logger='absl'),
        server.session(described, seconds=60) as session,
    ):
        postgresql_tables.create_tables(session, described)
        metadata_store.open_store(connection.with_password(described))
    assert 'MetadataStore with DB connection initialized' in caplog.text
    assert 'conn' not in caplog.text.replace('connection initialized', '')
    assert postgresql.PASSWORD.split()[0] not in caplog.text


def test_tables_are_made_once_by_two_at_the_same_time(running):
    described = running.described()
    made, errors = [], []

    def make() -> None:
        try:
            with server.session(described, seconds=60) as session:
                made.append(postgresql_tables.create_tables(session, described))
        except Exception as error:  # noqa: BLE001 - told below
            errors.append(error)

    threads = [threading.Thread(target=make) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and sorted(made) == [False, False, True]


def test_tables_of_ml_metadata_itself_are_adapted_by_their_owner_alone(running):
    described = running.described()
    postgresql_tables.open_store(described)
    name = described.postgresql.dbname
    with server.session(described) as session:
        assert not postgresql_tables.are_adjusted(session)
    with running.boss(name) as boss:
        boss.run("create role guest login password 'guest'")
        boss.run('grant select, insert, update on all tables in schema public to guest')
    os.environ['GUEST'] = 'guest'
    guest = connection.postgresql_config(
        running.settings(name, user='guest', password_env='GUEST'), pathlib.Path('/')
    )
    with (
        pytest.raises(ConfigError, match='their owner run: thawline metadata check --create'),
        server.session(guest) as session,
    ):
        postgresql_tables.create_tables(session, guest)
    with server.session(described) as session:
        assert not postgresql_tables.create_tables(session, described)
        assert postgresql_tables.are_adjusted(session)
    with running.boss(name) as boss:
        boss.run('revoke insert on artifact from guest')
    with pytest.raises(ConfigError, match='may not use'), server.session(guest) as session:
        postgresql_tables.tables_exist(session, guest)
    del os.environ['GUEST']


def test_a_role_that_may_not_make_tables_is_told_what_it_lacks(running):
    described = running.described()
    with running.boss(described.postgresql.dbname) as boss:
        boss.run("create role reader login password 'reader'")
    os.environ['READER'] = 'reader'
    wanted = running.settings(described.postgresql.dbname, user='reader', password_env='READER')
    reader = connection.postgresql_config(wanted, pathlib.Path('/'))
    with pytest.raises(ConfigError, match='GRANT CREATE ON'), server.session(reader) as session:
        postgresql_tables.tables_exist(session, reader)
    del os.environ['READER']


def test_tables_in_another_schema_are_refused(running):
    """ML Metadata would take them for its own and then not find them."""
    described = running.described()
    with server.session(described) as session:
        session.run('create schema other')
        session.run('create table other.mlmdenv (schema_version int)')
        with pytest.raises(ConfigError, match='in another schema'):
            postgresql_tables.tables_exist(session, described)


def write(config: bytes, worker: int, count: int) -> None:
    """Puts executions; in a process of its own."""
    store = metadata_store.open_store(pb.ConnectionConfig.FromString(config))
    for number in range(count):
        record(store, f'r{number}', f'N{worker}', pb.Execution.COMPLETE, out={'n': number})


@pytest.mark.parametrize('backend', ['sqlite', 'postgresql'])
def test_four_processes_write_at_once(backend, running, tmp_path):
    if backend == 'sqlite':
        config = connection.sqlite_config(tmp_path / 'metadata.sqlite')
    else:
        described = running.described()
        with server.session(described, seconds=60) as session:
            postgresql_tables.create_tables(session, described)
        config = connection.with_password(described)
    context = multiprocessing.get_context('spawn')
    workers = [
        context.Process(target=write, args=(config.SerializeToString(), worker, 60))
        for worker in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=300)
    assert [worker.exitcode for worker in workers] == [0] * 4
    store = metadata_store.open_store(config)
    runs = metadata.read_runs(store, 'p')
    assert len(runs) == 60
    assert all({node.node for node in run.nodes} == {'N0', 'N1', 'N2', 'N3'} for run in runs)
    numbers = [run.output('N3', 'out').properties['n'] for run in runs]
    assert sorted(numbers) == list(range(60))
