"""The DAG for Airflow, without Airflow: groups of nodes, the folder, the commands it would run."""

from __future__ import annotations

import graphlib
import json
import pathlib
import subprocess
import sys

import click.testing
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thawline.components.shared import node_names
from thawline.components.shared.errors import ConfigError
from thawline.pipeline.commands import schedule
from thawline.pipeline.config.airflow import PRESETS, Airflow
from thawline.pipeline.config.models import Config
from thawline.pipeline.orchestrators.airflow import dag_folder, export, tasks
from thawline.pipeline.runners import compiled_file

CHAIN = (
    ('ImageExampleGen', (), True),
    ('StatisticsGen', ('ImageExampleGen',), True),
    ('SchemaGen', ('StatisticsGen',), False),
    ('ExampleValidator', ('SchemaGen', 'StatisticsGen'), False),
    ('DataGate', ('ExampleValidator', 'ImageExampleGen', 'StatisticsGen'), False),
    ('Transform', ('DataGate', 'ImageExampleGen', 'SchemaGen'), True),
    ('Embedder', ('Transform',), True),
    ('Trainer', ('Embedder', 'SchemaGen', 'Transform'), False),
    ('Baseline', ('Trainer',), False),
    ('Evaluator', ('Baseline', 'Embedder', 'ImageExampleGen', 'StatisticsGen', 'Trainer'), True),
    ('Exporter', ('Evaluator', 'ImageExampleGen', 'Trainer', 'Transform'), False),
    ('ServingCheck', ('Evaluator', 'Exporter', 'ImageExampleGen'), False),
    ('Pusher', ('Evaluator', 'Exporter', 'ServingCheck'), False),
    ('LastReport', ('Pusher', 'Trainer'), False),
    ('Report', ('DataGate', 'Embedder', 'Exporter', 'LastReport', 'Pusher'), False),
)
NODES = [compiled_file.Node(id=name, upstream=before, beam=beam) for name, before, beam in CHAIN]
NAMES = [node.id for node in NODES]


def content(home: str = '/projects/stones', name: str = 'stones', digest: str = 'a' * 64) -> dict:
    return {
        'digest': f'sha256:{digest}',
        'thawline': '0.1.0',
        'name': name,
        'home': home,
        'output': f'{home}/runs/{name}',
        'nodes': [node.model_dump(mode='json') for node in NODES],
        'pipeline': {},
    }


def made(**settings) -> dict:
    return tasks.dag(content(), Airflow(**settings), ['thawline', 'run-node'], {})


def test_cheap_nodes_share_the_process_of_the_heavy_one_before_them():
    assert [group.nodes for group in tasks.groups(NODES, 'cheap')] == [
        ('ImageExampleGen',),
        ('StatisticsGen', 'SchemaGen', 'ExampleValidator', 'DataGate'),
        ('Transform',),
        ('Embedder',),
        ('Trainer', 'Baseline'),
        ('Evaluator', 'Exporter', 'ServingCheck'),
        ('Pusher',),
        ('LastReport', 'Report'),
    ]


def test_nodes_of_a_phase_share_a_process():
    assert [group.nodes for group in tasks.groups(NODES, 'phases')] == [
        ('ImageExampleGen', 'StatisticsGen', 'SchemaGen', 'ExampleValidator', 'DataGate'),
        ('Transform', 'Embedder'),
        ('Trainer', 'Baseline'),
        ('Evaluator', 'Exporter', 'ServingCheck'),
        ('Pusher',),
        ('LastReport', 'Report'),
    ]


def test_the_push_stays_alone_when_all_nodes_are_grouped():
    found = tasks.groups(NODES, 'all')
    assert [group.nodes[0] for group in found] == ['ImageExampleGen', 'Pusher', 'LastReport']
    assert [group.upstream for group in found] == [(), (0,), (1,)]


def test_a_task_a_node_waits_for_those_only_that_nothing_else_waits_for():
    found = {group.nodes[0]: group for group in tasks.groups(NODES, 'none')}
    assert list(map(len, (group.nodes for group in found.values()))) == [1] * len(NODES)
    order = list(found)
    assert [order[one] for one in found['Report'].upstream] == ['LastReport']


@st.composite
def graphs(draw) -> list[compiled_file.Node]:
    size = draw(st.integers(1, 12))
    names = [f'N{number}' for number in range(size)]
    if draw(st.booleans()):
        names[draw(st.integers(0, size - 1))] = node_names.PUSHER
    return [
        compiled_file.Node(
            id=name,
            upstream=tuple(draw(st.sets(st.sampled_from(names[:at])))) if at else (),
            beam=draw(st.booleans()),
        )
        for at, name in enumerate(names)
    ]


@given(graphs(), st.sampled_from(['none', 'cheap', 'phases', 'all']))
def test_groups_keep_every_order_that_nodes_need(nodes, policy):
    found = tasks.groups(nodes, policy)
    assert sorted(one for group in found for one in group.nodes) == sorted(n.id for n in nodes)
    assert all(one < at for at, group in enumerate(found) for one in group.upstream)
    place = {node: at for at, group in enumerate(found) for node in group.nodes}
    before = {at: set(group.upstream) for at, group in enumerate(found)}
    order = list(graphlib.TopologicalSorter(before).static_order())
    reach = dict[int, set[int]]()
    for at in order:
        reach[at] = set().union(*({one} | reach[one] for one in before[at]), set())
    for node in nodes:
        for one in node.upstream:
            inside = found[place[node.id]].nodes
            if place[one] == place[node.id]:
                assert inside.index(one) < inside.index(node.id)
            else:
                assert place[one] in reach[place[node.id]]
    if node_names.PUSHER in place:
        assert found[place[node_names.PUSHER]].nodes == (node_names.PUSHER,)


def test_the_pool_is_for_tasks_with_a_heavy_node_alone():
    pools = {task['id']: task['pool'] for task in made(pool='big')['tasks']}
    assert pools['Trainer-Baseline'] == pools['ImageExampleGen-DataGate'] == 'big'
    assert pools['Pusher'] is pools['LastReport-Report'] is None


def test_only_what_follows_the_push_runs_where_it_was_skipped():
    rules = {task['id']: task['trigger_rule'] for task in made()['tasks']}
    assert rules.pop('LastReport-Report') == 'none_failed'
    assert set(rules.values()) == {'all_success'}


def test_the_page_of_the_dag_says_digest_folders_and_nodes():
    shown = made(url='https://files.example/stones/')['doc']
    assert 'sha256:aaaaaaaaaaaa' in shown
    assert '`/projects/stones/runs/stones`' in shown
    assert '(https://files.example/stones/reports/)' in shown
    assert '| Trainer-Baseline | Trainer, Baseline |' in shown
    assert '`` a`b ``' in tasks.dag(content('a`b'), Airflow(), [], {})['doc']


@given(st.text(max_size=30), st.text(max_size=30), st.lists(st.text(max_size=10), max_size=3))
def test_values_come_back_from_the_folder_unchanged(tmp_path_factory, home, name, command):
    folder = tmp_path_factory.mktemp('dags') / 'stones'
    told = content(home, name)
    wanted = tasks.dag(told, Airflow(), command, {name: home})
    dag_folder.write(folder, told, wanted)
    found = json.loads((folder / 'dag.json').read_text('utf-8'))
    assert found == wanted
    assert json.loads((folder / found['ir']).read_bytes()) == told
    assert (folder / 'dag.py').read_bytes() == pathlib.Path(airflow_dag_source()).read_bytes()


def airflow_dag_source() -> str:
    return str(pathlib.Path(tasks.__file__).with_name('dag.py'))


def test_another_pipeline_takes_the_place_of_the_one_before(tmp_path):
    folder = tmp_path / 'stones'
    for digest in ('a' * 64, 'b' * 64):
        told = content(digest=digest)
        dag_folder.write(folder, told, tasks.dag(told, Airflow(), [], {}))
    assert sorted(one.name for one in folder.iterdir()) == [
        'dag.json',
        'dag.py',
        f'pipeline-{"b" * 16}.json',
    ]
    assert all(one.stat().st_mode & 0o444 == 0o444 for one in folder.iterdir())


def test_a_reader_meets_a_whole_dag_at_any_time(tmp_path):
    folder = tmp_path / 'stones'
    told = {digest: content(digest=digest * 64) for digest in 'ab'}
    code = (
        'import json, pathlib, sys, time\n'
        'folder, end, seen = pathlib.Path(sys.argv[1]), time.monotonic() + 20, set()\n'
        'while len(seen) < 2 and time.monotonic() < end:\n'
        '    dag = json.loads((folder / "dag.json").read_bytes())\n'
        '    try:\n'
        '        found = json.loads((folder / dag["ir"]).read_bytes())\n'
        '    except FileNotFoundError:\n'
        '        continue  # replaced in between\n'
        '    assert found["digest"] == dag["digest"]\n'
        '    compile((folder / "dag.py").read_text(), "dag.py", "exec")\n'
        '    seen.add(dag["digest"])\n'
        'print(len(seen))\n'
    )
    dag_folder.write(folder, told['a'], tasks.dag(told['a'], Airflow(), [], {}))
    with subprocess.Popen([sys.executable, '-c', code, folder], stdout=subprocess.PIPE) as reader:
        while reader.poll() is None:
            for one in told.values():
                dag_folder.write(folder, one, tasks.dag(one, Airflow(), [], {}))
        assert reader.stdout.read() == b'2\n'
    assert reader.returncode == 0


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    folder = tmp_path / 'stones'
    folder.mkdir()
    dag_folder.check(folder, pathlib.Path('/projects/stones'))
    (folder / 'mine.py').write_text('')
    with pytest.raises(ConfigError, match='is no DAG of thawline'):
        dag_folder.check(folder, pathlib.Path('/projects/stones'))
    (folder / 'dag.json').write_text('[]')
    with pytest.raises(ConfigError, match='is no DAG of thawline'):
        dag_folder.check(folder, pathlib.Path('/projects/stones'))


def test_two_projects_of_one_name_do_not_replace_each_other(tmp_path):
    told = content('/projects/one')
    dag_folder.write(tmp_path / 'stones', told, tasks.dag(told, Airflow(), [], {}))
    dag_folder.check(tmp_path / 'stones', pathlib.Path('/projects/one'))
    with pytest.raises(ConfigError, match='of the project in /projects/one; this one is in /two'):
        dag_folder.check(tmp_path / 'stones', pathlib.Path('/two'))


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / 'file').write_text('')
    told = content()
    with pytest.raises(ConfigError, match='cannot be written: Not a directory'):
        dag_folder.write(tmp_path / 'file' / 'x', told, tasks.dag(told, Airflow(), [], {}))


@pytest.mark.parametrize('value', [*PRESETS, '0 3 * * 1', '*/15 8-18 1,15 * MON-FRI', 'none', None])
def test_schedules_of_airflow_are_taken(value):
    assert Airflow(schedule=value).schedule == (None if value == 'none' else value)


@pytest.mark.parametrize(
    ('value', 'message'),
    [
        ('daily', 'has 1 fields, not 5'),
        ('@dayly', 'is not a schedule'),
        ('0 25 * * *', "has '25' as hour, which must be 0 to 23"),
        ('5-1 * * * *', "has '5-1' as minute, which is a reversed range"),
        ('a;b * * * *', "has 'a;b' as minute"),
        (True, 'must be a cron expression'),
    ],
)
def test_a_schedule_that_nobody_means_is_refused(value, message):
    with pytest.raises(ValueError, match=message):
        Airflow(schedule=value)


def test_options_take_the_place_of_the_configuration():
    config = Config.model_validate(
        {
            'name': 'stones',
            'data': {'source': 'images'},
            'airflow': {'schedule': '@daily', 'retries': 3, 'start_date': '2026-01-31'},
        }
    )
    found = export.settings_of(config, {'schedule': 'none', 'retries': '0', 'pool': None})
    assert (found.schedule, found.retries, found.start_date) == (None, 0, '2026-01-31')


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ({'retries': 'many'}, "retries: received 'many', expected a whole number"),
        ({'timeout': '5'}, 'timeout: must be a time above 0 with its unit'),
        ({'start_date': 'soon'}, 'start_date: must be a date such as 2026-01-31'),
        ({'url': 'file:///x'}, "url: received 'file:///x'"),
        ({'pool': 'big ones'}, "pool: received 'big ones'"),
        ({'max_active_runs': '0'}, "max_active_runs: received '0'"),
    ],
)
def test_an_option_that_cannot_be_used_is_said(given, message):
    config = Config.model_validate({'name': 'stones', 'data': {'source': 'images'}})
    with pytest.raises(ConfigError, match=message):
        export.settings_of(config, given)


def test_the_command_runs_this_code_from_any_folder(tmp_path):
    done = subprocess.run(
        export.command('run-node', '--help'),
        cwd=tmp_path, env=export.environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert 'run-node [OPTIONS]' in done.stdout


def test_help_names_every_setting():
    done = click.testing.CliRunner().invoke(schedule.command, ['airflow', '--help'])
    assert done.exit_code == 0
    missing = {
        name for name in Airflow.model_fields if f'--{name.replace("_", "-")}' not in done.output
    }
    assert missing == set()
