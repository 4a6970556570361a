"""The DAG for Airflow, without Airflow: its tasks, the folder, the commands it would run."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import click.testing
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pipeline.orchestrators.chain import NODES
from thawline.components.shared.errors import ConfigError
from thawline.pipeline.commands import schedule
from thawline.pipeline.config import loading
from thawline.pipeline.config.airflow import PRESETS, Airflow
from thawline.pipeline.config.project import Project
from thawline.pipeline.orchestrators.airflow import dag_folder, export, tasks
from thawline.pipeline.runners import compiled_file
from thawline.pipeline.runners.compiled_file import Envelope

SCHEMA = pathlib.Path('schema.pbtxt')


def content(
    home: str = '/projects/stones', name: str = 'stones', digest: str = 'a' * 64
) -> Envelope:
    config = loading.parse('name: x\ndata: {source: images}\n', 'thawline.yaml')
    project = Project(config, pathlib.Path(home), pathlib.Path(home, 'runs', name), SCHEMA)
    compiled = compiled_file.envelope(project, NODES, {})
    return compiled.model_copy(update={'name': name, 'digest': f'sha256:{digest}'})


def dag(**settings) -> dict:
    return tasks.dag(content(), Airflow(**settings), ['thawline', 'run-node'], {})


def test_the_pool_is_for_tasks_with_a_heavy_node_alone():
    pools = {task['id']: task['pool'] for task in dag(pool='big')['tasks']}
    assert pools['Trainer-Baseline'] == pools['ImageExampleGen-DataGate'] == 'big'
    assert pools['Pusher'] is pools['LastReport-Report'] is None


def test_only_what_follows_the_push_runs_where_it_was_skipped():
    rules = {task['id']: task['trigger_rule'] for task in dag()['tasks']}
    assert rules.pop('LastReport-Report') == 'none_failed'
    assert set(rules.values()) == {'all_success'}


def test_the_page_of_the_dag_says_digest_folders_and_nodes():
    shown = dag(url='https://files.example/stones/')['doc']
    assert 'sha256:aaaaaaaaaaaa' in shown
    assert '`/projects/stones/runs/stones`' in shown
    assert '(https://files.example/stones/reports/)' in shown
    assert '| Trainer-Baseline | Trainer, Baseline |' in shown
    assert '`` a`b ``' in tasks.dag(content('a`b'), Airflow(), [], {})['doc']


@given(st.text(max_size=30), st.text(max_size=30), st.lists(st.text(max_size=10), max_size=3))
def test_values_come_back_from_the_folder_unchanged(tmp_path_factory, home, name, command):
    folder = tmp_path_factory.mktemp('dags') / 'stones'
    compiled = content(home, name)
    expected = tasks.dag(compiled, Airflow(), command, {name: home})
    dag_folder.write(folder, compiled, expected)
    found = json.loads((folder / 'dag.json').read_text('utf-8'))
    assert found == expected
    assert json.loads((folder / found['ir']).read_bytes()) == compiled.values
    assert (folder / 'dag.py').read_bytes() == pathlib.Path(airflow_dag_source()).read_bytes()


def airflow_dag_source() -> str:
    return str(pathlib.Path(tasks.__file__).with_name('dag.py'))


def test_another_pipeline_takes_the_place_of_the_one_before(tmp_path):
    folder = tmp_path / 'stones'
    for digest in ('a' * 64, 'b' * 64):
        compiled = content(digest=digest)
        dag_folder.write(folder, compiled, tasks.dag(compiled, Airflow(), [], {}))
    assert sorted(one.name for one in folder.iterdir()) == [
        'dag.json',
        'dag.py',
        f'pipeline-{"b" * 16}.json',
    ]
    assert all(one.stat().st_mode & 0o444 == 0o444 for one in folder.iterdir())


def test_a_reader_meets_a_whole_dag_at_any_time(tmp_path):
    folder = tmp_path / 'stones'
    compiled = {digest: content(digest=digest * 64) for digest in 'ab'}
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
    dag_folder.write(folder, compiled['a'], tasks.dag(compiled['a'], Airflow(), [], {}))
    with subprocess.Popen([sys.executable, '-c', code, folder], stdout=subprocess.PIPE) as reader:
        while reader.poll() is None:
            for one in compiled.values():
                dag_folder.write(folder, one, tasks.dag(one, Airflow(), [], {}))
        assert reader.stdout.read() == b'2\n'
    assert reader.returncode == 0


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    folder = tmp_path / 'stones'
    folder.mkdir()
    dag_folder.check(folder, pathlib.Path('/projects/stones'))
    (folder / 'mine.py').write_text('')
    with pytest.raises(ConfigError, match='is not a DAG of thawline'):
        dag_folder.check(folder, pathlib.Path('/projects/stones'))
    (folder / 'dag.json').write_text('[]')
    with pytest.raises(ConfigError, match='is not a DAG of thawline'):
        dag_folder.check(folder, pathlib.Path('/projects/stones'))


def test_two_projects_of_one_name_do_not_replace_each_other(tmp_path):
    compiled = content('/projects/one')
    dag_folder.write(tmp_path / 'stones', compiled, tasks.dag(compiled, Airflow(), [], {}))
    dag_folder.check(tmp_path / 'stones', pathlib.Path('/projects/one'))
    with pytest.raises(ConfigError, match='of the project in /projects/one; this one is in /two'):
        dag_folder.check(tmp_path / 'stones', pathlib.Path('/two'))


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / 'file').write_text('')
    compiled = content()
    with pytest.raises(ConfigError, match='cannot be written: Not a directory'):
        dag_folder.write(tmp_path / 'file' / 'x', compiled, tasks.dag(compiled, Airflow(), [], {}))


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
