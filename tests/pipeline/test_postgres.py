"""A real PostgreSQL: reached or not, written to, and shared by several pipelines."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
import multiprocessing
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import ml_metadata as mlmd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ml_metadata.proto import metadata_store_pb2 as pb

from components import metadata_store
from components.errors import ConfigError
from pipeline import config as config_lib
from pipeline import locks, metadata, recording
from pipeline.paths import Project
from pipeline.registry import graph, ledger
from pipeline.stores import advisory, connection, opened, ownership, server, tables
from pipeline.stores.params import PostgreSQL
from tests import postgresql
from tests.pipeline.test_metadata import record

pytestmark = [postgresql.needs_postgresql, pytest.mark.slow]

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXTS = st.text(st.characters(exclude_characters='\0', exclude_categories=['Cs']))


@pytest.fixture(scope='module')
def running() -> Iterator[postgresql.Server]:
    os.environ[postgresql.VARIABLE] = postgresql.PASSWORD
    with postgresql.running() as started:
        yield started
    del os.environ[postgresql.VARIABLE]


@pytest.fixture(scope='module')
def store(running):
    """ML Metadata on a database whose tables are adapted."""
    described = running.described()
    with server.session(described) as session:
        assert tables.make(session, described)
    return metadata_store.opened(connection.filled(described))


def project_at(home: pathlib.Path, database: PostgreSQL | None, name: str = 'x') -> Project:
    config = config_lib.parse(f'name: {name}\ndata: {{source: images}}', 'file')
    found = Project.of(config, home)
    return Project(found.home, found.output, found.schema, found.name, database)


@contextlib.contextmanager
def listening(answer: Callable[[socket.socket], object]) -> Iterator[int]:
    """A port where `answer` deals with whoever calls."""
    with socket.create_server(('127.0.0.1', 0)) as door:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    guest, _ = door.accept()
                    with guest:
                        answer(guest)

        threading.Thread(target=serve, daemon=True).start()
        yield door.getsockname()[1]


# --- reached or not --------------------------------------------------------------------------


def refused(wanted: PostgreSQL) -> str:
    began = time.monotonic()
    described = connection.postgresql(wanted, pathlib.Path('/'))
    with pytest.raises(ConfigError) as raised, server.session(described):
        raise AssertionError('let in')
    assert time.monotonic() - began < 30
    assert postgresql.PASSWORD not in str(raised.value)
    return str(raised.value)


def test_nobody_answers(running):
    with socket.create_server(('127.0.0.1', 0)) as door:
        free = door.getsockname()[1]
    told = refused(running.settings(port=free))
    assert f'127.0.0.1:{free} cannot be reached: Connection refused' in told
    assert 'cannot be reached' in refused(running.settings(host='no.such.host.invalid'))
    assert 'cannot be reached' in refused(running.settings(host='/nowhere'))


def test_a_server_that_takes_the_call_and_stays_silent(running):
    with listening(lambda guest: guest.recv(10_000) and time.sleep(20)) as port:
        assert 'no answer within 8 s' in refused(running.settings(port=port))


def test_something_else_answers(running):
    def http(guest: socket.socket) -> None:
        guest.recv(10_000)
        guest.sendall(b'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')
        guest.shutdown(socket.SHUT_WR)

    with listening(http) as port:
        assert 'broke off' in refused(running.settings(port=port))


def test_who_is_not_let_in_is_told_why(running, monkeypatch, tmp_path):
    assert 'there is no database' in refused(running.settings())
    assert 'check --create' in refused(running.settings())
    assert 'password authentication failed' in refused(running.settings(user='nobody'))
    told = refused(running.settings(password_env=None))
    assert 'it asks for a password' in told
    monkeypatch.setenv('OTHER', 'wr0ng-password')
    told = refused(running.settings(password_env='OTHER'))
    assert 'the password came from OTHER' in told and 'wr0ng-password' not in told
    monkeypatch.delenv('OTHER')
    assert 'environment variable OTHER is not set' in refused(
        running.settings(password_env='OTHER')
    )


def test_a_passfile_and_a_socket_lead_in(running, tmp_path):
    escaped = postgresql.PASSWORD.replace('\\', '\\\\').replace(':', '\\:')
    path = tmp_path / 'pass'
    path.write_text(f'*:{running.port}:*:{postgresql.USER}:{escaped}\n', 'utf-8')
    path.chmod(0o600)
    by_file = {'password_env': None, 'passfile': str(path)}
    wanted = running.settings(database='postgres', **by_file)
    with server.session(connection.postgresql(wanted, tmp_path)) as session:
        assert session.run('select current_user') == [[postgresql.USER]]
    wanted = running.settings(database='postgres', host=str(running.folder), **by_file)
    with server.session(connection.postgresql(wanted, tmp_path)) as session:
        assert session.run('select inet_server_addr() is null') == [[True]]


def test_a_server_that_wants_encryption_is_said_to(running):
    """ML Metadata's client has none: it must not be let in by our own session first."""
    rules = running.folder / 'data' / 'pg_hba.conf'
    before = rules.read_text('utf-8')
    described = running.described()
    try:
        rules.write_text('local all all trust\nhostssl all all all scram-sha-256\n', 'utf-8')
        with running.boss() as session:
            session.run('select pg_reload_conf()')
        time.sleep(0.5)
        told = refused(running.settings(described.postgresql.dbname))
        assert 'no encryption' in told and 'tunnel' in told
    finally:
        rules.write_text(before, 'utf-8')
        with running.boss() as session:
            session.run('select pg_reload_conf()')


def test_commands_end_with_the_message_alone(running, tmp_path):
    (tmp_path / 'thawline.yaml').write_text(
        'name: x\ndata: {source: images}\n'
        'metadata: {postgresql: {host: 127.0.0.1, port: 9, database: d, user: u}}\n',
        'utf-8',
    )
    for command in (['run'], ['runs'], ['models'], ['metadata', 'check']):
        done = subprocess.run(
            [sys.executable, '-m', 'pipeline.cli', *command], cwd=tmp_path, text=True,
            env={**os.environ, 'PYTHONPATH': str(ROOT)}, capture_output=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 2, command
        assert 'metadata server 127.0.0.1:9 cannot be reached' in done.stdout + done.stderr
        assert 'Traceback' not in done.stdout + done.stderr


def test_the_doctor_asks_the_server(running, tmp_path):
    from pipeline import doctor

    assert doctor.check_metadata(tmp_path).status is doctor.Status.OK
    file = tmp_path / 'thawline.yaml'
    file.write_text('name: x\ndata: {source: i}\n', 'utf-8')
    assert 'SQLite' in doctor.check_metadata(tmp_path).found
    section = running.section('postgres')
    file.write_text(f'name: x\ndata: {{source: i}}\nmetadata: {section}\n', 'utf-8')
    found = doctor.check_metadata(tmp_path)
    assert found.status is doctor.Status.OK and found.found.startswith('PostgreSQL ')
    section = section.replace(f'port: {running.port}', 'port: 9')
    file.write_text(f'name: x\ndata: {{source: i}}\nmetadata: {section}\n', 'utf-8')
    found = doctor.check_metadata(tmp_path)
    assert found.status is doctor.Status.FAIL and 'cannot be reached' in found.found
    file.write_text('name: 7', 'utf-8')
    assert doctor.check_metadata(tmp_path).status is doctor.Status.WARN


# --- written to ------------------------------------------------------------------------------


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
        tables.make(session, described)
        store = metadata_store.opened(connection.filled(described))
        record(store, 'r1', 'Trainer', pb.Execution.COMPLETE, model={'kept': 'probe'})
        session.run(
            'with gone as (delete from eventpath where not is_index_step returning *) '
            'insert into eventpath select * from gone'
        )
        plain = mlmd.MetadataStore(connection.filled(described))
        (event,) = plain.get_events_by_artifact_ids([1])
        assert [step.WhichOneof('value') for step in event.path.steps] == ['index', 'key']
    (event,) = store.get_events_by_artifact_ids([1])
    assert [step.WhichOneof('value') for step in event.path.steps] == ['key', 'index']
    assert metadata.runs(store, 'p')[0].output('Trainer', 'model') is not None


def test_records_come_back_by_number_whichever_was_changed_last(running):
    """TFX pairs outputs that it serves from the cache with their keys by place."""
    described = running.described()
    with server.session(described, seconds=60) as session:
        tables.make(session, described)
    store = metadata_store.opened(connection.filled(described))
    kind = store.put_artifact_type(pb.ArtifactType(name='Model'))
    ids = store.put_artifacts([pb.Artifact(type_id=kind, uri=str(n)) for n in range(4)])
    (first,) = store.get_artifacts_by_id(ids[:1])
    first.uri = 'changed'
    store.put_artifacts([first])
    plain = mlmd.MetadataStore(connection.filled(described))
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
        tables.make(session, described)
        metadata_store.opened(connection.filled(described))
    assert 'MetadataStore with DB connection initialized' in caplog.text
    assert 'conn' not in caplog.text.replace('connection initialized', '')
    assert postgresql.PASSWORD.split()[0] not in caplog.text


def test_tables_are_made_once_by_two_at_the_same_time(running):
    described = running.described()
    made, errors = [], []

    def make() -> None:
        try:
            with server.session(described, seconds=60) as session:
                made.append(tables.make(session, described))
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
    tables.opened(described)
    name = described.postgresql.dbname
    with server.session(described) as session:
        assert not tables.are_adapted(session)
    with running.boss(name) as boss:
        boss.run("create role guest login password 'guest'")
        boss.run('grant select, insert, update on all tables in schema public to guest')
    os.environ['GUEST'] = 'guest'
    guest = connection.postgresql(
        running.settings(name, user='guest', password_env='GUEST'), pathlib.Path('/')
    )
    with (
        pytest.raises(ConfigError, match='their owner can: thawline metadata check --create'),
        server.session(guest) as session,
    ):
        tables.make(session, guest)
    with server.session(described) as session:
        assert not tables.make(session, described)
        assert tables.are_adapted(session)
    with running.boss(name) as boss:
        boss.run('revoke insert on artifact from guest')
    with pytest.raises(ConfigError, match='may not use'), server.session(guest) as session:
        tables.are_there(session, guest)
    del os.environ['GUEST']


def test_a_role_that_may_not_make_tables_is_told_what_it_lacks(running):
    described = running.described()
    with running.boss(described.postgresql.dbname) as boss:
        boss.run("create role reader login password 'reader'")
    os.environ['READER'] = 'reader'
    wanted = running.settings(described.postgresql.dbname, user='reader', password_env='READER')
    reader = connection.postgresql(wanted, pathlib.Path('/'))
    with pytest.raises(ConfigError, match='GRANT CREATE ON'), server.session(reader) as session:
        tables.are_there(session, reader)
    del os.environ['READER']


def test_tables_in_another_schema_are_refused(running):
    """ML Metadata would take them for its own and then not find them."""
    described = running.described()
    with server.session(described) as session:
        session.run('create schema other')
        session.run('create table other.mlmdenv (schema_version int)')
        with pytest.raises(ConfigError, match='in another schema'):
            tables.are_there(session, described)


def write(config: bytes, worker: int, count: int) -> None:
    """Puts executions; in a process of its own."""
    store = metadata_store.opened(pb.ConnectionConfig.FromString(config))
    for number in range(count):
        record(store, f'r{number}', f'N{worker}', pb.Execution.COMPLETE, out={'n': number})


@pytest.mark.parametrize('backend', ['sqlite', 'postgresql'])
def test_four_processes_write_at_once(backend, running, tmp_path):
    if backend == 'sqlite':
        config = connection.sqlite(tmp_path / 'metadata.sqlite')
    else:
        described = running.described()
        with server.session(described, seconds=60) as session:
            tables.make(session, described)
        config = connection.filled(described)
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
    store = metadata_store.opened(config)
    runs = metadata.runs(store, 'p')
    assert len(runs) == 60
    assert all({node.node for node in run.nodes} == {'N0', 'N1', 'N2', 'N3'} for run in runs)
    numbers = [run.output('N3', 'out').properties['n'] for run in runs]
    assert sorted(numbers) == list(range(60))


# --- shared ----------------------------------------------------------------------------------


def put(store, pipeline: str, run: str, node: str, inputs=(), **outputs: str) -> dict[str, int]:
    """One complete execution of a node, as TFX writes it; returns ids of its outputs."""
    contexts = []
    for kind, name in (
        ('pipeline', pipeline),
        ('pipeline_run', run),
        ('node', f'{pipeline}.{node}'),
    ):
        kind_id = store.put_context_type(pb.ContextType(name=kind))
        contexts.append(
            store.get_context_by_type_and_name(kind, name) or pb.Context(type_id=kind_id, name=name)
        )
    pairs = []
    for id_ in inputs:
        event = pb.Event(type=pb.Event.INPUT, artifact_id=id_)
        event.path.steps.add(key='model')
        pairs.append((store.get_artifacts_by_id([id_])[0], event))
    for key, uri in outputs.items():
        kind_id = store.put_artifact_type(pb.ArtifactType(name=key))
        event = pb.Event(type=pb.Event.OUTPUT)
        event.path.steps.add(key=key)
        pairs.append((pb.Artifact(type_id=kind_id, uri=uri), event))
    execution = pb.Execution(
        type_id=store.put_execution_type(pb.ExecutionType(name=node)),
        last_known_state=pb.Execution.COMPLETE,
    )
    _, ids, _ = store.put_execution(execution, pairs, contexts, reuse_context_if_already_exist=True)
    return dict(zip(outputs, ids[len(inputs) :], strict=True))


@pytest.fixture
def shared(running, tmp_path):
    """A database with two pipelines, whose schedulers have given their runs the same ids."""
    described = running.described()
    with server.session(described, seconds=60) as session:
        tables.make(session, described)
    store = metadata_store.opened(connection.filled(described))
    models = {}
    for run, pipeline in itertools.product(('2026-01-01', '2026-01-02'), ('ants', 'ants-2')):
        models[pipeline, run] = put(store, pipeline, run, 'Trainer', model=f'/{pipeline}/{run}')[
            'model'
        ]
    put(store, 'ants-2', '2026-01-03', 'Trainer', model='/ants-2/3')
    return store, models


def test_each_pipeline_sees_its_own_runs_alone(shared):
    store, _ = shared
    first, second = metadata.runs(store, 'ants'), metadata.runs(store, 'ants-2')
    assert [run.id for run in first] == ['2026-01-01', '2026-01-02']
    assert [run.id for run in second] == ['2026-01-01', '2026-01-02', '2026-01-03']
    assert [run.output('Trainer', 'model').uri for run in first] == [
        '/ants/2026-01-01', '/ants/2026-01-02',
    ]  # fmt: skip
    assert all(len(run.nodes) == 1 for run in first + second)
    assert metadata.runs(store, 'bees') == []
    assert metadata.latest_run_with(store, ['Trainer'], 'ants').id == '2026-01-02'
    found = metadata.node_result(store, '2026-01-01', 'Trainer', 'ants')
    assert found is not None and found.outputs['model'].uri == '/ants/2026-01-01'
    assert metadata.node_result(store, '2026-01-03', 'Trainer', 'ants') is None
    assert set(metadata.attempts(store, '2026-01-01', 'ants')) == {'Trainer'}


def test_a_run_is_one_of_both_pipelines_that_have_its_id(shared):
    store, _ = shared
    run = store.get_context_by_type_and_name('pipeline_run', '2026-01-01')
    for pipeline in ('ants', 'ants-2', 'ants'):
        recording.join_run(store, '2026-01-01', pipeline)
    parents = store.get_parent_contexts_by_context(run.id)
    assert sorted(one.name for one in parents) == ['ants', 'ants-2']
    assert [run.id for run in metadata.runs(store, 'ants')] == ['2026-01-01', '2026-01-02']
    recording.join_run(store, 'unknown', 'ants')


def test_marks_are_put_on_ones_own_executions(shared):
    store, _ = shared
    recording.mark_not_run(store, '2026-01-01', 'Trainer', 'ants')
    assert metadata.node_result(store, '2026-01-01', 'Trainer', 'ants').state == 'not run'
    assert metadata.node_result(store, '2026-01-01', 'Trainer', 'ants-2').state == 'complete'


def move(model: int, destination: str) -> ledger.Move:
    return ledger.Move(
        'promote', 'production', destination, 1, model, 'd', 3_000_000_000, '/s', '', 'a@b',
        'C:\\why "so"', '', 'TF', 0, 0, 0,
    )  # fmt: skip


def test_each_pipeline_sees_its_own_models_and_promotions(shared):
    store, models = shared
    for pipeline in ('ants', 'ants-2'):
        intent = move(models[pipeline, '2026-01-02'], f'/{pipeline}/production')
        id_ = ledger.begin(store, intent, pipeline)
        done = dataclasses.replace(intent, id=id_)
        ledger.complete(store, done, ledger.place(done.destination, 1))
    for pipeline in ('ants', 'ants-2'):
        found = graph.read(store, pipeline)
        mine = {id_ for (of, _), id_ in models.items() if of == pipeline}
        assert mine <= found.artifacts.keys()
        assert not ({*models.values()} - mine) & found.artifacts.keys()
        (promoted,) = ledger.moves(found)
        assert promoted.model == models[pipeline, '2026-01-02']
        assert promoted.size == 3_000_000_000 and promoted.reason == 'C:\\why "so"'
        assert {one.run for one in found.of_node('Trainer')} >= {'2026-01-01', '2026-01-02'}
        assert all(
            one.outputs['model'][0] not in {*models.values()} - mine
            for one in found.of_node('Trainer')
        )
    assert graph.read(store, 'bees').executions == []


def test_promotions_of_before_there_was_a_database_to_share(shared):
    """They have no context, and belong to whom their model does."""
    store, models = shared
    ledger.begin(store, move(models['ants', '2026-01-01'], '/ants'))
    assert [one.model for one in ledger.moves(graph.read(store, 'ants'))] == [
        models['ants', '2026-01-01']
    ]
    assert ledger.moves(graph.read(store, 'ants-2')) == []


def test_a_folder_owns_its_pipeline(running, tmp_path):
    wanted = running.settings()
    running.described(wanted)
    first = project_at(tmp_path / 'a', wanted)
    assert opened.to_read(first) is None
    opened.to_run(first)
    opened.to_run(first)
    assert opened.to_read(first) is not None
    mark = ownership.mark_of(first.output)
    assert mark is not None and postgresql.PASSWORD not in mark.place
    second = project_at(tmp_path / 'b', wanted)
    with pytest.raises(ConfigError, match=r"knows a pipeline 'x' whose runs are in .*/a/"):
        opened.to_run(second)
    with pytest.raises(ConfigError, match='give this project another name'):
        opened.require_mine(second)
    opened.to_run(project_at(tmp_path / 'b', wanted, 'y'))
    (first.output / ownership.FILE).unlink()
    with pytest.raises(ConfigError, match='on another machine, or its'):
        opened.to_run(first)


def test_records_of_a_folder_are_in_one_place(running, tmp_path):
    wanted, other = running.settings(), running.settings()
    for one in (wanted, other):
        running.described(one)
    on_file = project_at(tmp_path, None)
    opened.to_run(on_file)
    on_file.metadata.parent.mkdir(parents=True)
    metadata_store.open_sqlite(on_file.metadata)
    with pytest.raises(ConfigError, match='thawline metadata migrate'):
        opened.to_run(project_at(tmp_path, wanted))
    on_file.metadata.unlink()
    opened.to_run(project_at(tmp_path, wanted))
    with pytest.raises(ConfigError, match='put metadata.postgresql back'):
        opened.to_run(on_file)
    with pytest.raises(ConfigError, match='put metadata.postgresql back'):
        opened.to_read(on_file)
    (on_file.artifacts / 'Trainer').mkdir(parents=True)
    with pytest.raises(ConfigError, match=wanted.database):
        opened.to_run(project_at(tmp_path, other))
    (on_file.output / ownership.FILE).write_text('[]', 'utf-8')
    with pytest.raises(ConfigError, match='cannot be read'):
        opened.to_run(project_at(tmp_path, wanted))


def hold(config: bytes, pipeline: str, held, go) -> None:
    """Holds the lock until told to go on; in a process of its own."""
    with advisory.held(pb.ConnectionConfig.FromString(config), pipeline, 'promote of alice@far'):
        held.set()
        go.wait(60)


def test_the_lock_is_held_on_all_machines_until_its_process_ends(running):
    described = running.described()
    context = multiprocessing.get_context('spawn')
    held, go = context.Event(), context.Event()
    process = context.Process(target=hold, args=(described.SerializeToString(), 'x', held, go))
    process.start()
    assert held.wait(60)
    with (
        pytest.raises(locks.Held, match='promote of alice@far'),
        advisory.held(described, 'x', 'mine'),
    ):
        raise AssertionError('held twice')
    with advisory.held(described, 'y', 'of another pipeline'):
        pass
    process.kill()
    process.join()
    deadline = time.monotonic() + 20
    while True:
        try:
            with advisory.held(described, 'x', 'mine'):
                break
        except locks.Held:
            assert time.monotonic() < deadline, 'not released by the kill'
            time.sleep(0.1)


def test_an_error_of_the_block_is_not_taken_for_the_servers(running):
    described = running.described()
    with pytest.raises(TimeoutError, match='mine'), advisory.held(described, 'x', 'me'):
        raise TimeoutError('mine')


def test_a_server_that_goes_away_is_noticed(running):
    described = running.described()
    with server.session(described) as session:
        (pid,) = session.run('select pg_backend_pid()')[0]
        with running.boss() as boss:
            boss.run(f'select pg_terminate_backend({pid})')
        with pytest.raises(ConfigError, match='broke off|refuses'), server.telling(described):
            session.run('select 1')
