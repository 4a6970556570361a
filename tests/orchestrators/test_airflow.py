"""The DAG under real Airflow, 3.3 and 2.11, each in an environment of its own."""

from __future__ import annotations

import contextlib
import json
import pathlib
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests import fork_server
from tests.e2e.conftest import Project, draw_classes
from thawline import ROOT
from thawline.pipeline.config import loading
from thawline.pipeline.config import project as project_lib
from thawline.pipeline.config.airflow import Airflow as Settings
from thawline.pipeline.orchestrators.airflow import dag_folder
from thawline.pipeline.orchestrators.airflow import tasks as airflow_lib
from thawline.pipeline.runners import compiled_file
from thawline.pipeline.runners.compiled_file import CompiledNode
from thawline.pipeline.system import ports
from thawline.pipeline.tools.airflow_demo import server
from thawline.pipeline.tools.airflow_demo.server import AirflowInstallation, Api, wait_until

pytestmark = pytest.mark.orchestrators

BUILD = ROOT / 'build' / 'airflow'
LOCKS = {3: server.LOCK, 2: pathlib.Path(__file__).with_name('airflow-2.lock')}
ODD = 'a "b" \'c\' $(touch x) `d` {{ 7*7 }} {% e %} \\n \u00e9\u4e2d'
RUN_MINUTES = 30  # three processes that import TensorFlow; a busy machine takes its time

# Told by Airflow's own interpreter: what it reads out of a folder of DAGs.
READ = """
import importlib.util, json, sys, time
try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:
    from airflow.models.dagbag import DagBag
began = time.process_time()
bag = DagBag(sys.argv[1])
told = {
    'errors': bag.import_errors,
    'seconds': time.process_time() - began,  # not those of the clock: others may be busy
    'tfx': any(map(importlib.util.find_spec, ('tfx', 'tensorflow', 'pipeline'))),
    'dags': {
        name: {
            'doc': dag.doc_md,
            'catchup': dag.catchup,
            'max_active_runs': dag.max_active_runs,
            'tasks': {
                task.task_id: {
                    'command': getattr(task, 'bash_command', None),
                    'env': getattr(task, 'env', None),
                    'upstream': sorted(task.upstream_task_ids),
                    'pool': task.pool,
                    'retries': task.retries,
                    'rule': str(getattr(task.trigger_rule, 'value', task.trigger_rule)),
                    'timeout': task.execution_timeout.total_seconds(),
                }
                for task in dag.tasks
            },
        }
        for name, dag in bag.dags.items()
    },
}
print('TOLD' + json.dumps(told))
"""
STRICT = ('-P', '-W', 'error::SyntaxWarning')  # -P: not the modules of the checkout
PASS_ON = (
    'import json, os, shutil, sys; '
    'print(json.dumps([sys.argv[1:], os.environ.get("ODD"), shutil.which("python")]))'
)
# Stands in for `thawline run-node`: what matters here is Airflow's answer to its exit code.
END = (
    'import json, os, sys; codes = json.loads(os.environ["CODES"]); '
    'code = codes.get(sys.argv[sys.argv.index("--node") + 1], 0); '
    'attempt = int(os.environ["AIRFLOW_CTX_TRY_NUMBER"]) - 1; '
    'sys.exit(code[attempt] if isinstance(code, list) else code)'
)


needs_old_python = pytest.mark.skipif(
    sys.version_info >= (3, 13), reason='Airflow 2 cannot be installed on Python 3.13'
)


@pytest.fixture(scope='module', params=[3, pytest.param(2, marks=needs_old_python)])
def airflow(request, tmp_path_factory) -> AirflowInstallation:
    return installed(request.param, tmp_path_factory.mktemp(f'airflow{request.param}'))


@pytest.fixture(scope='module')
def airflow3(tmp_path_factory) -> AirflowInstallation:
    return installed(3, tmp_path_factory.mktemp('airflow3'))


def installed(version: int, folder: pathlib.Path) -> AirflowInstallation:
    """An Airflow of its own, with an empty database."""
    environment = BUILD / ('venv' if version == 3 else f'venv{version}')
    server.install(environment, LOCKS[version])
    airflow = AirflowInstallation(environment, folder / 'home', folder / 'dags')
    airflow.home.mkdir()
    shutil.copy(empty_database(environment), airflow.home)
    return airflow


def empty_database(environment: pathlib.Path) -> pathlib.Path:
    """The database of an Airflow that knows nothing; making one takes half a minute."""
    database = environment / 'empty' / 'airflow.db'
    if not database.is_file():  # a new environment is an empty folder first
        home = environment / 'new'
        shutil.rmtree(home, ignore_errors=True)
        done = AirflowInstallation(environment, home, home / 'dags').call('db', 'migrate')
        assert done.returncode == 0, done.stderr
        home.rename(database.parent)
    return database


def write(
    folder: pathlib.Path, name: str, command: list[str], environment: dict[str, str], **settings
) -> None:
    """A DAG of three nodes around the Pusher, whose command is given."""
    chain = (('Trainer', ()), ('Pusher', ('Trainer',)), ('Report', ('Trainer', 'Pusher')))
    nodes = [
        CompiledNode.model_validate({'id': node, 'upstream': before, 'beam': False})
        for node, before in chain
    ]
    config = loading.parse('name: x\ndata: {source: images}\n', 'thawline.yaml')
    project = project_lib.Project(config, folder, folder, folder / 'schema.pbtxt')
    compiled = compiled_file.envelope(project, nodes, {}).model_copy(
        update={'name': name, 'digest': f'sha256:{"a" * 64}'}
    )
    made = airflow_lib.dag(compiled, Settings(**settings), command, environment)
    dag_folder.write(folder / name, compiled, made)


def read(airflow: AirflowInstallation, folder: pathlib.Path) -> dict:
    done = subprocess.run(
        [airflow.environment / 'bin' / 'python', *STRICT, '-c', READ, folder],
        env=airflow.variables(), capture_output=True, text=True, timeout=600, check=True,
    )  # fmt: skip
    return json.loads(next(x for x in done.stdout.splitlines() if x.startswith('TOLD'))[4:])


def test_odd_names_reach_the_nodes_unchanged(airflow, tmp_path):
    folder = tmp_path / ODD
    command = [sys.executable, '-c', PASS_ON, ODD, '', '-x\n']
    write(folder, 'stones', command, {'ODD': ODD}, pool='big_ones', retries=3, timeout='2h')
    found = read(airflow, folder)
    assert found['errors'] == {}
    assert found['seconds'] < 1.0
    assert not found['tfx']
    dag = found['dags']['stones']
    assert (dag['catchup'], dag['max_active_runs']) == (False, 1)
    assert 'sha256:aaaaaaaaaaaa' in dag['doc']
    tasks = dag['tasks']
    assert {name: task['upstream'] for name, task in tasks.items()} == {
        'Trainer': [],
        'Pusher': ['Trainer'],
        'Report': ['Pusher'],
        'blessed': ['Pusher'],
        'not_blessed': ['Pusher'],
    }
    assert (tasks['Trainer']['pool'], tasks['Pusher']['pool']) == ('big_ones', 'default_pool')
    assert {task['retries'] for task in tasks.values()} == {3}
    assert {task['timeout'] for task in tasks.values()} == {7200.0}
    ran = subprocess.run(
        ['bash', '-c', tasks['Trainer']['command']],
        cwd=tmp_path, capture_output=True, text=True, check=True,
        env={'AIRFLOW_CTX_DAG_RUN_ID': ODD, **tasks['Trainer']['env']},
    )  # fmt: skip
    given, value, python = json.loads(ran.stdout)
    pipeline = str(folder / 'stones' / f'pipeline-{"a" * 16}.json')
    assert given == [ODD, '', '-x\n', '--ir', pipeline, '--node', 'Trainer', '--run-id', ODD]
    assert value == ODD
    assert python == str(pathlib.Path(sys.executable).with_name('python'))
    assert list(tmp_path.iterdir()) == [folder]  # nothing in the names was run


@pytest.mark.parametrize(
    ('codes', 'wanted'),
    [
        ({}, 'Trainer Pusher Report blessed'),
        ({'Pusher': 3}, 'Trainer Pusher:skipped Report blessed:skipped not_blessed'),
        ({'Trainer': 4}, 'Trainer:failed Pusher:upstream_failed Report:upstream_failed'),
        ({'Trainer': [7, 0], 'Report': [6, 0]}, 'Trainer Pusher Report blessed'),
    ],
)
def test_exit_codes_become_states(airflow, codes, wanted):
    command = [sys.executable, '-c', END]
    write(airflow.dags, 'stones', command, {'CODES': json.dumps(codes)}, retry_delay='1s')
    day = f'2026-01-{len(json.dumps(codes)) % 28 + 1:02d}'
    done = airflow.call('dags', 'test', 'stones', day)
    said = done.stdout + done.stderr
    states = last_states(airflow)
    expected = dict.fromkeys(('Trainer', 'Pusher', 'Report'), 'success')
    expected |= {'blessed': 'skipped', 'not_blessed': 'skipped'}
    for one in wanted.split():
        name, _, state = one.partition(':')
        expected[name] = state or 'success'
    if 4 in codes.values():
        expected |= {'blessed': 'upstream_failed', 'not_blessed': 'upstream_failed'}
        assert 'stopped by the data (exit code 4): a retry cannot help' in said
    if 'Report' in codes:
        assert 'a server or disk is unavailable (exit code 7)' in said
        assert 'another process is at work (exit code 6)' in said
    assert states == expected, said[-3000:]


def last_states(airflow: AirflowInstallation) -> dict[str, str]:
    """States of the tasks of the newest run."""
    with contextlib.closing(sqlite3.connect(airflow.home / 'airflow.db')) as database:
        return dict(
            database.execute(
                'SELECT task_id, state FROM task_instance WHERE run_id ='
                ' (SELECT run_id FROM dag_run ORDER BY id DESC LIMIT 1)'
            ).fetchall()
        )


# From here on everything is real: images, TFX, Airflow's scheduler.


@pytest.fixture(scope='module')
def stones(tmp_path_factory) -> Project:
    project = Project(tmp_path_factory.mktemp('with space') / 'stones')
    draw_classes(project.home / 'images', 40)
    project.write(**PROBE)
    return project


PROBE = {
    'training': '{mode: probe, augmentation: none}',
    'embedding': '{views: 0}',
    'airflow': "{group: all, schedule: '@monthly', max_active_runs: 2, "
    "retry_delay: 5s, url: 'http://127.0.0.1:9/stones'}",
}


@pytest.fixture(scope='module')
def api(airflow3: AirflowInstallation, stones: Project) -> Iterator[Api]:
    schedule(airflow3, stones)
    fork_tasks(airflow3)
    # By default a changed DAG is read after 30 s.
    often = {'dag_processor__min_file_process_interval': '5'}
    with server.running(airflow3, ports.free_port(), **often) as started:
        wait_until(lambda: started.knows('stones'), 300, 'the DAG')
        started.ask('PATCH', 'dags/stones', {'is_paused': False})
        yield started


def schedule(airflow: AirflowInstallation, project: Project) -> str:
    """Writes the DAG of a project; returns its digest."""
    done = project.thawline('schedule', 'airflow', '--out', str(airflow.dags))
    assert done.returncode == 0, done.stdout + done.stderr
    assert '16 nodes in 3 tasks, @monthly' in done.stdout
    return json.loads((airflow.dags / 'stones' / 'dag.json').read_bytes())['digest']


def fork_tasks(airflow: AirflowInstallation) -> None:
    """Has the tasks of the written DAG run in forks; those of a refused model do not."""
    settings = airflow.dags / 'stones' / 'dag.json'
    dag = json.loads(settings.read_bytes())
    assert dag['command'][-1] == 'run-node'
    dag['command'] = [*fork_server.command(), 'run-node']
    settings.write_text(json.dumps(dag), 'utf-8')


def ended(api: Api, run: str) -> dict[str, str]:
    """State of each task of a run that has ended, and of the run as ''."""

    def state() -> str:
        now = api.state('stones', run)
        return now if now in ('success', 'failed') else ''

    return {'': wait_until(state, RUN_MINUTES * 60, run), **api.tasks('stones', run)}


FIRST = 'ImageExampleGen-ServingCheck'
BLESSED = {
    '': 'success',
    FIRST: 'success',
    'Pusher': 'success',
    'blessed': 'success',
    'not_blessed': 'skipped',
    'LastReport-Report': 'success',
}
REFUSED = BLESSED | {'Pusher': 'skipped', 'blessed': 'skipped', 'not_blessed': 'success'}


def reported(project: Project, run: str) -> dict:
    done = project.thawline('report', run, '--format', 'json')
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_switched_on_it_runs_the_last_date_alone_and_links_to_log_and_report(api):
    def runs() -> list[str]:
        return [one['dag_run_id'] for one in api.ask('GET', 'dags/stones/dagRuns')['dag_runs']]

    run = wait_until(runs, 300, 'the run of the last date')[0]
    assert run.startswith('scheduled__')
    assert ended(api, run) == BLESSED
    assert runs() == [run]  # no catch-up
    named = server.quote(run)
    task = f'dags/stones/dagRuns/{named}/taskInstances/LastReport-Report'
    assert api.ask('GET', f'{task}/links')['extra_links'] == {
        'Log of the nodes': f'http://127.0.0.1:9/stones/logs/{named}-LastReport..Report.log',
        'Report of the run': f'http://127.0.0.1:9/stones/reports/{named}.html',
    }


def test_a_backfill_of_two_dates_runs_both_at_the_same_time(api, stones):
    api.ask(
        'POST',
        'backfills',
        {
            'dag_id': 'stones',
            'from_date': '2025-01-01T00:00:00Z',
            'to_date': '2025-02-01T00:00:00Z',
            'max_active_runs': 2,
            'dag_run_conf': {'force': True},
        },
    )
    both = [f'backfill__2025-{month}-01T00:00:00+00:00' for month in ('01', '02')]
    assert [ended(api, run) for run in both] == [BLESSED, BLESSED]
    for run in both:
        assert (stones.output / 'reports' / f'{run}.html').is_file()
        assert reported(stones, run)['run'] == run
    assert len(stones.versions()) == 3  # each pushed a model of its own
    shown = stones.thawline('runs').stdout
    assert all(run[:30] in shown for run in both)


def test_a_refused_model_is_a_skipped_push_and_a_marked_run(api, airflow3, stones):
    pushed = stones.versions()
    stones.write(**PROBE, gate='{val_accuracy: 0.999}')
    digest = schedule(airflow3, stones)

    def shown() -> bool:
        return digest[:19] in api.ask('GET', 'dags/stones/details')['doc_md']

    wait_until(shown, 300, 'the new pipeline')
    run = api.trigger('stones')
    assert ended(api, run) == REFUSED
    assert stones.versions() == pushed
    assert (stones.output / 'reports' / f'{run}.html').is_file()


def test_a_failed_task_goes_on_after_it_was_cleared(api, airflow3, stones):
    fork_tasks(airflow3)
    images = stones.home / 'images'
    away = images.rename(stones.home / 'away')
    run = api.trigger('stones')
    broken = ended(api, run)
    away.rename(images)
    assert (broken[''], broken[FIRST]) == ('failed', 'failed')
    assert {broken[one] for one in REFUSED if one not in ('', FIRST)} == {'upstream_failed'}
    path = f'dags/stones/dagRuns/{server.quote(run)}'
    first = api.ask('GET', f'{path}/taskInstances/{FIRST}')
    assert first['try_number'] == 1  # no image, no retry
    cleared = {'dry_run': False, 'dag_run_id': run, 'only_failed': True}
    api.ask('POST', 'dags/stones/clearTaskInstances', cleared)
    assert ended(api, run) == REFUSED
