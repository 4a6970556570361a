"""Teams: the whole chain with its records in a real PostgreSQL, two projects in one database."""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Iterator

import PIL.Image
import pytest

from tests import postgresql
from tests.e2e.conftest import Project
from thawline.components.shared import image_table
from thawline.pipeline.config import loading
from thawline.pipeline.metadata.stores import opening, ownership

pytestmark = [pytest.mark.orchestrators, postgresql.needs_postgresql]

SETTINGS = {'training': '{mode: probe, augmentation: none}'}
RUN = 'scheduled__2026-01-01T00:00:00+00:00'


@pytest.fixture(scope='module')
def server() -> Iterator[postgresql.Server]:
    with postgresql.running() as started:
        yield started


@pytest.fixture(scope='module')
def database(server) -> str:
    """Name of an empty database."""
    return str(server.described().postgresql.dbname)


@pytest.fixture(scope='module')
def moved(make_project, server, database) -> Project:
    """A project that ran on its file, and whose records were then moved."""
    project: Project = make_project(images=20, **SETTINGS)
    done = project.thawline('run')
    assert done.returncode == 0, done.stdout + done.stderr
    project.write(**SETTINGS, metadata=server.section(database))
    refused = project.thawline('run')
    assert refused.returncode == 2 and 'thawline metadata migrate' in refused.stdout
    done = project.thawline('metadata', 'migrate')
    assert done.returncode == 0, done.stdout + done.stderr
    return project


@pytest.fixture(scope='module')
def other(make_project, server, database, moved) -> Project:
    """A second project, of the same nodes, that runs in the same database."""
    project: Project = make_project(images=20)
    project.write(**SETTINGS, name='pebbles', metadata=server.section(database))
    return project


@pytest.fixture(scope='module')
def other_run(other):
    return other.thawline('run')


def nodes_cached(told: str) -> set[str]:
    return set(re.findall(r'^✓ (\w+)\s+cached', told, re.MULTILINE))


def endings(project: Project) -> list[str]:
    """How the model of each run came into staging, the newest run first."""
    return re.findall(r'blessed, (pushed|already there) as', project.thawline('runs').stdout)


def test_after_moving_nothing_has_to_run_again(moved):
    before = moved.versions()
    again = moved.thawline('run')
    assert again.returncode == 0, again.stdout + again.stderr
    ran = set(re.findall(r'^✓ (\w+)', again.stdout, re.MULTILINE)) - nodes_cached(again.stdout)
    assert ran == {'Baseline', 'Pusher', 'LastReport'}, 'these ask the metadata or staging'
    assert moved.versions() == before
    assert endings(moved) == ['already there', 'pushed']


def test_a_second_project_in_the_database_is_on_its_own(moved, other, other_run):
    assert other_run.returncode == 0, other_run.stdout + other_run.stderr
    assert not nodes_cached(other_run.stdout)
    # The first project's blessed model, of the same nodes, is not its baseline.
    assert re.search(r'Baseline\s.*no earlier blessed model', other_run.stdout)
    assert endings(other) == ['pushed']
    assert endings(moved) == ['already there', 'pushed']
    mine, theirs = (project.thawline('models').stdout for project in (moved, other))
    assert len(re.findall(r'staging \d+', mine)) == len(re.findall(r'staging \d+', theirs)) == 1
    checked = other.thawline('metadata', 'check').stdout
    assert 'pipelines pebbles, stones' in checked and re.search(r'runs\s+1$', checked, re.M)


def test_models_are_promoted_explained_and_taken_back(moved, other, other_run, server, database):
    for project in (moved, other):
        done = project.thawline('promote', 'last', '--yes')
        assert done.returncode == 0, done.stdout + done.stderr
    changed = {'training': '{mode: probe, augmentation: none, class_weights: balanced}'}
    moved.write(**changed, metadata=server.section(database))
    done = moved.thawline('run')
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r'Baseline\s.*compared with model \d+', done.stdout)
    assert moved.thawline('promote', 'last', '--yes').returncode == 0
    done = moved.thawline('rollback', '--yes')
    assert done.returncode == 0, done.stdout + done.stderr
    assert moved.thawline('history').stdout.count('rollback') == 1
    assert other.thawline('history').stdout.count('rollback') == 0
    assert moved.thawline('history').stdout.count('promote') == 2
    assert other.thawline('history').stdout.count('promote') == 1
    told = other.thawline('explain', 'production').stdout
    assert 'TRAIN' in told.upper() and str(other.home) in told and str(moved.home) not in told
    report = other.thawline('report')
    assert report.returncode == 0 and 'BLESSED' in report.stdout.upper()


def test_the_report_and_the_model_know_where_they_come_from(other, other_run):
    run = re.search(r'run (\S+)', other_run.stdout)
    assert run is not None
    content = json.loads(
        (other.output.parent / 'pebbles/artifacts/Report/report').glob('*/content.json')
        .__next__().read_text('utf-8')
    )  # fmt: skip
    times = [fact['detail'] for card in content['cards'] for fact in card['facts']
             if fact['term'] == 'Time of the nodes']  # fmt: skip
    assert 'Trainer' in times[0]
    (card,) = other.home.glob('runs/pebbles/serving/staging/*/assets.extra/thawline.json')
    assert json.loads(card.read_text('utf-8'))['lineage']['run'] == run[1]


def test_schedulers_may_give_runs_of_both_the_same_id(moved, other, other_run, server, database):
    moved.write(**SETTINGS, metadata=server.section(database))
    for project in (moved, other):
        done = project.thawline('compile', '--out', 'pipeline.json')
        assert done.returncode == 0, done.stdout + done.stderr
        nodes = ('--node', 'ImageExampleGen', '--node', 'StatisticsGen')
        done = project.thawline('run-node', '--ir', 'pipeline.json', *nodes, '--run-id', RUN)
        assert done.returncode == 0, done.stdout + done.stderr
        assert nodes_cached(done.stdout) == {'ImageExampleGen', 'StatisticsGen'}
    # A part of the chain finds that run to begin at, although it began under the other's name.
    done = other.thawline('run', '--only', 'SchemaGen')
    assert done.returncode == 0, done.stdout + done.stderr
    for project, count in ((moved, 4), (other, 3)):
        told = project.thawline('runs').stdout
        assert told.count(RUN) == 1 and '2 of 2' in told
        assert len(re.findall(r'^  \S+\s+\d+ of \d+', told, re.MULTILINE)) == count


def test_the_password_is_nowhere(moved, other, other_run):
    for project in (moved, other):
        holding = [
            path
            for path in project.home.rglob('*')
            if path.is_file() and postgresql.PASSWORD.encode() in path.read_bytes()
        ]
        assert not holding
        compiled = json.loads((project.home / 'pipeline.json').read_text('utf-8'))
        assert postgresql.VARIABLE in json.dumps(compiled)
    assert postgresql.PASSWORD not in other_run.stdout + other_run.stderr


def test_without_the_password_nothing_starts(moved, monkeypatch):
    monkeypatch.delenv(postgresql.VARIABLE)
    for command in (['run'], ['models']):
        done = moved.thawline(*command)
        assert done.returncode == 2
        assert f'environment variable {postgresql.VARIABLE} is not set' in done.stdout + done.stderr


def test_a_copy_of_the_project_is_told_whose_runs_these_are(moved, tmp_path):
    copy = Project(tmp_path)
    (tmp_path / 'thawline.yaml').write_text((moved.home / 'thawline.yaml').read_text())
    (tmp_path / 'images').symlink_to(moved.home / 'images')
    done = copy.thawline('run')
    assert done.returncode == 2
    assert f"has a pipeline 'stones' whose runs are in {moved.output}" in done.stdout
    assert not pathlib.Path(copy.output, ownership.FILE).exists()
    assert len(endings(copy)) == 3, 'looking is allowed'
    refused = copy.thawline('promote', 'last', '--yes')
    assert refused.returncode == 2 and 'give this project another name' in refused.stderr


def test_images_keep_their_splits(make_project, server, database):
    project = make_project(images=20)
    project.write(**SETTINGS, name='gravel', metadata=server.section(database))

    def ingested() -> dict[str, str]:
        done = project.thawline('run', '--to', 'ImageExampleGen')
        assert done.returncode == 0, done.stdout + done.stderr
        folder = project.output.parent / 'gravel/artifacts/ImageExampleGen/examples'
        table = image_table.read(str(max(folder.iterdir(), key=lambda path: int(path.name))))
        return {row['image_id']: row['split'] for row in table.to_pylist()}

    before = ingested()
    for number in range(7):
        path = project.home / 'images' / 'moss' / f'{number}.png'
        PIL.Image.new('RGB', (40, 40), (number, 90, 0)).save(path)
    after = ingested()
    assert len(after) == len(before) + 7 and before.items() <= after.items()
    store = opening.find_store(loading.load_project(project.home))
    node = store.get_context_by_type_and_name('node', 'gravel.ImageExampleGen')
    histories = [
        execution.custom_properties['split_history'].string_value
        for execution in sorted(store.get_executions_by_context(node.id), key=lambda e: e.id)
    ]
    assert [len(digest) for digest in histories] == [0, 64]


def test_a_server_that_stops_in_the_middle_ends_the_run(moved, server, database):
    """With a message and without a hang; last, as the server is gone then."""
    moved.write(**SETTINGS, metadata=server.section(database))
    running = moved.start('run', '--no-cache')
    assert running.stdout is not None
    for line in running.stdout:
        if 'StatisticsGen' in line:
            break
    server.stop()
    told, _ = running.communicate(timeout=120)
    assert running.returncode == 7, told
    assert 'error:' in told and 'Traceback' not in told
    node = ('run-node', '--ir', 'pipeline.json', '--node', 'ImageExampleGen', '--run-id', 'r2')
    for command in (('run',), node, ('promote', 'last', '--yes')):
        done = moved.thawline(*command)
        assert done.returncode == 7, done.stdout + done.stderr
        assert 'Connection refused' in done.stdout + done.stderr
