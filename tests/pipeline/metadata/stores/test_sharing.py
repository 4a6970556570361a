"""Several pipelines and machines on one PostgreSQL, a real one."""

from __future__ import annotations

import dataclasses
import itertools
import multiprocessing
import pathlib
import shutil
import time

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from tests import postgresql
from tests.pipeline.metadata.stores.executions import move, put
from thawline.components.shared import metadata_store
from thawline.components.shared.errors import ConfigError, Unavailable
from thawline.pipeline.config import loading
from thawline.pipeline.config.metadata import PostgreSQL
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata import annotations as recording
from thawline.pipeline.metadata import lineage, runs
from thawline.pipeline.metadata.stores import (
    connection,
    opening,
    ownership,
    postgresql_lock,
    postgresql_tables,
)
from thawline.pipeline.metadata.stores import postgresql as server
from thawline.pipeline.registry import ledger
from thawline.pipeline.system import file_locks

pytestmark = [postgresql.needs_postgresql, pytest.mark.slow]


def project_at(home: pathlib.Path, database: PostgreSQL | None, name: str = 'x') -> Project:
    config = loading.parse(f'name: {name}\ndata: {{source: images}}', 'file')
    metadata = config.metadata.model_copy(update={'postgresql': database})
    return Project.of(config.model_copy(update={'metadata': metadata}), home)


@pytest.fixture
def shared(running, tmp_path):
    """A database with two pipelines, whose schedulers have given their runs the same ids."""
    described = running.described()
    with server.session(described, seconds=60) as session:
        postgresql_tables.create_tables(session, described)
    store = metadata_store.open_store(connection.with_password(described))
    models = {}
    for run, pipeline in itertools.product(('2026-01-01', '2026-01-02'), ('ants', 'ants-2')):
        models[pipeline, run] = put(store, pipeline, run, 'Trainer', model=f'/{pipeline}/{run}')[
            'model'
        ]
    put(store, 'ants-2', '2026-01-03', 'Trainer', model='/ants-2/3')
    return store, models


def test_each_pipeline_sees_its_own_runs_alone(shared):
    store, _ = shared
    first, second = runs.read_runs(store, 'ants'), runs.read_runs(store, 'ants-2')
    assert [run.id for run in first] == ['2026-01-01', '2026-01-02']
    assert [run.id for run in second] == ['2026-01-01', '2026-01-02', '2026-01-03']
    assert [run.output('Trainer', 'model').uri for run in first] == [
        '/ants/2026-01-01', '/ants/2026-01-02',
    ]  # fmt: skip
    assert all(len(run.nodes) == 1 for run in first + second)
    assert runs.read_runs(store, 'bees') == []
    found = runs.node_result(store, '2026-01-01', 'Trainer', 'ants')
    assert found is not None and found.outputs['model'].uri == '/ants/2026-01-01'
    assert runs.node_result(store, '2026-01-03', 'Trainer', 'ants') is None
    assert set(runs.read_attempts(store, '2026-01-01', 'ants')) == {'Trainer'}


def test_a_run_is_one_of_both_pipelines_that_have_its_id(shared):
    store, _ = shared
    run = store.get_context_by_type_and_name('pipeline_run', '2026-01-01')
    for pipeline in ('ants', 'ants-2', 'ants'):
        recording.join_run(store, '2026-01-01', pipeline)
    parents = store.get_parent_contexts_by_context(run.id)
    assert sorted(one.name for one in parents) == ['ants', 'ants-2']
    assert [run.id for run in runs.read_runs(store, 'ants')] == ['2026-01-01', '2026-01-02']
    recording.join_run(store, 'unknown', 'ants')


def test_marks_are_put_on_ones_own_executions(shared):
    store, _ = shared
    recording.mark_not_run(store, '2026-01-01', 'Trainer', 'ants')
    assert runs.node_result(store, '2026-01-01', 'Trainer', 'ants').state == 'not run'
    assert runs.node_result(store, '2026-01-01', 'Trainer', 'ants-2').state == 'complete'


def test_each_pipeline_sees_its_own_models_and_promotions(shared):
    store, models = shared
    for pipeline in ('ants', 'ants-2'):
        intent = move(models[pipeline, '2026-01-02'], f'/{pipeline}/production')
        id_ = ledger.begin(store, intent, pipeline)
        done = dataclasses.replace(intent, id=id_)
        ledger.complete(store, done, ledger.version_uri(done.destination, 1))
    for pipeline in ('ants', 'ants-2'):
        found = lineage.read(store, pipeline)
        mine = {id_ for (of, _), id_ in models.items() if of == pipeline}
        assert mine <= found.artifacts.keys()
        assert not ({*models.values()} - mine) & found.artifacts.keys()
        (promoted,) = ledger.read_deployments(found)
        assert promoted.model == models[pipeline, '2026-01-02']
        assert promoted.size == 3_000_000_000 and promoted.reason == 'C:\\why "so"'
        assert {one.run for one in found.of_node('Trainer')} >= {'2026-01-01', '2026-01-02'}
        assert all(
            one.outputs['model'][0] not in {*models.values()} - mine
            for one in found.of_node('Trainer')
        )
    assert lineage.read(store, 'bees').executions == []


def test_promotions_of_before_there_was_a_database_to_share(shared):
    """They have no context, and belong to whom their model does."""
    store, models = shared
    ledger.begin(store, move(models['ants', '2026-01-01'], '/ants'))
    assert [one.model for one in ledger.read_deployments(lineage.read(store, 'ants'))] == [
        models['ants', '2026-01-01']
    ]
    assert ledger.read_deployments(lineage.read(store, 'ants-2')) == []


def test_a_folder_owns_its_pipeline(running, tmp_path):
    wanted = running.settings()
    running.described(wanted)
    first = project_at(tmp_path / 'a', wanted)
    assert opening.find_store(first) is None
    opening.prepare_run(first)
    opening.prepare_run(first)
    assert opening.find_store(first) is not None
    mark = ownership.read_mark(first.output)
    assert mark is not None and postgresql.PASSWORD not in mark.place
    second = project_at(tmp_path / 'b', wanted)
    with pytest.raises(ConfigError, match=r"has a pipeline 'x' whose runs are in .*/a/"):
        opening.prepare_run(second)
    with pytest.raises(ConfigError, match='give this project another name'):
        opening.check_ownership(second)
    opening.prepare_run(project_at(tmp_path / 'b', wanted, 'y'))
    (first.output / ownership.FILE).unlink()
    with pytest.raises(ConfigError, match='on another machine, or its'):
        opening.prepare_run(first)


@pytest.mark.parametrize('copied', [False, True])
def test_a_folder_under_another_path_is_refused_until_a_link_leads_there(running, tmp_path, copied):
    wanted = running.settings()
    running.described(wanted)
    old = project_at(tmp_path / 'a', wanted)
    opening.prepare_run(old)
    new = project_at(tmp_path / 'b', wanted)
    if copied:
        shutil.copytree(old.home, new.home)
    else:
        old.home.rename(new.home)
    for use in (opening.prepare_run, opening.find_store, opening.check_ownership):
        with pytest.raises(ConfigError, match=f'ln -s {new.output} {old.output}'):
            use(new)
    if not copied:
        old.output.parent.mkdir(parents=True)
        old.output.symlink_to(new.output)
        opening.prepare_run(new)
        assert opening.find_store(new) is not None


def test_records_of_a_folder_are_in_one_place(running, tmp_path):
    wanted, other = running.settings(), running.settings()
    for one in (wanted, other):
        running.described(one)
    on_file = project_at(tmp_path, None)
    opening.prepare_run(on_file)
    on_file.metadata.parent.mkdir(parents=True)
    metadata_store.open_sqlite(on_file.metadata)
    with pytest.raises(ConfigError, match='thawline metadata migrate'):
        opening.prepare_run(project_at(tmp_path, wanted))
    on_file.metadata.unlink()
    opening.prepare_run(project_at(tmp_path, wanted))
    with pytest.raises(ConfigError, match='put metadata.postgresql back'):
        opening.prepare_run(on_file)
    with pytest.raises(ConfigError, match='put metadata.postgresql back'):
        opening.find_store(on_file)
    (on_file.artifacts / 'Trainer').mkdir(parents=True)
    with pytest.raises(ConfigError, match=wanted.database):
        opening.prepare_run(project_at(tmp_path, other))
    (on_file.output / ownership.FILE).write_text('[]', 'utf-8')
    with pytest.raises(ConfigError, match='cannot be read'):
        opening.prepare_run(project_at(tmp_path, wanted))


def hold(config: bytes, pipeline: str, held, go) -> None:
    """Holds the lock until told to go on; in a process of its own."""
    with postgresql_lock.hold(
        pb.ConnectionConfig.FromString(config), pipeline, 'promote of alice@far'
    ):
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
        pytest.raises(file_locks.LockTaken, match='promote of alice@far'),
        postgresql_lock.hold(described, 'x', 'mine'),
    ):
        raise AssertionError('held twice')
    with postgresql_lock.hold(described, 'y', 'of another pipeline'):
        pass
    process.kill()
    process.join()
    deadline = time.monotonic() + 20
    while True:
        try:
            with postgresql_lock.hold(described, 'x', 'mine'):
                break
        except file_locks.LockTaken:
            assert time.monotonic() < deadline, 'not released by the kill'
            time.sleep(0.1)


def test_an_error_of_the_block_is_not_taken_for_the_servers(running):
    described = running.described()
    with pytest.raises(TimeoutError, match='mine'), postgresql_lock.hold(described, 'x', 'me'):
        raise TimeoutError('mine')


def test_a_server_that_goes_away_is_noticed(running):
    described = running.described()
    with server.session(described) as session:
        (pid,) = session.run('select pg_backend_pid()')[0]
        with running.boss() as boss:
            boss.run(f'select pg_terminate_backend({pid})')
        with (
            pytest.raises(Unavailable, match='closed the connection|reports'),
            server.server_errors(described),
        ):
            session.run('select 1')
