"""Runs that are killed at any moment leave nothing that the next start does not remove."""

from __future__ import annotations

import contextlib
import pathlib
import re
import sqlite3
import subprocess
import time

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from tests import fork_server
from tests.e2e.conftest import TINY_BASE, Project
from thawline.components.shared import metadata_store
from thawline.pipeline.metadata import execution_states

pytestmark = pytest.mark.e2e

_UNFINISHED = """
    SELECT 1 FROM Execution JOIN Association ON execution_id = Execution.id
    JOIN Context ON Context.id = context_id WHERE last_known_state = ? AND Context.name = ?
    AND Execution.id IN (SELECT execution_id FROM ExecutionProperty WHERE name = ?)
"""

# The serving check by its child process.
MOMENTS = ('ImageExampleGen', 'Embedder', 'Trainer', 'Evaluator', 'the probe', 'Pusher')


@pytest.fixture(scope='module')
def project(make_project) -> Project:
    return make_project(
        images=12,
        model=TINY_BASE,
        training='{mode: probe, augmentation: none}',
        gate='{val_accuracy: 0.3, strictness: point}',
    )


def with_temporary(root: pathlib.Path) -> dict[str, str]:
    return {**fork_server.environment(), 'TMPDIR': str(root)}


def processes(root: pathlib.Path) -> list[str]:
    """Command lines of living processes whose temporary files are below a folder."""
    lines = []
    for process in pathlib.Path('/proc').glob('[0-9]*'):
        try:
            variables = (process / 'environ').read_bytes()
            line = (process / 'cmdline').read_bytes()
        except OSError:
            continue
        if f'TMPDIR={root}'.encode() in variables and line:
            lines.append(line.replace(b'\0', b' ').decode())
    return lines


def reached(project: Project, root: pathlib.Path, moment: str) -> bool:
    if moment == 'the probe':
        return any('probe.py' in line and 'questions.json' in line for line in processes(root))
    # Not by ML Metadata, which makes tables where there are none yet, and takes a while.
    database = f'file:{project.output / "metadata.sqlite"}?mode=ro'
    try:
        with contextlib.closing(sqlite3.connect(database, uri=True)) as connection:
            # Whose execution it is comes a moment later: before, nobody can say who was killed.
            wanted = (pb.Execution.RUNNING, f'stones.{moment}', execution_states.PROCESS)
            query = connection.execute(_UNFINISHED, wanted)
            return query.fetchone() is not None
    except sqlite3.OperationalError:
        return False


@pytest.mark.parametrize('moment', MOMENTS)
def test_kill(project: Project, tmp_path: pathlib.Path, moment: str) -> None:
    root = tmp_path / 'tmp'
    root.mkdir()
    process = subprocess.Popen(
        [*fork_server.command(), 'run'],
        cwd=project.home, env=with_temporary(root),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 300
    while not reached(project, root, moment):
        assert process.poll() is None, 'it ended before'
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 10
    while left := processes(root):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
    node = {'the probe': 'ServingCheck'}.get(moment, moment)
    # The fork server ends the run a moment after its client was killed.
    while f'killed in {node}' not in (shown := project.thawline('runs').stdout):
        assert time.monotonic() < deadline, shown

    # Nothing runs, but all is checked: the clean-up comes before what follows.
    following = subprocess.run(
        [*fork_server.command(), 'run', '--to', 'ImageExampleGen'],
        cwd=project.home, env=with_temporary(root), capture_output=True, text=True,
    )  # fmt: skip
    assert following.returncode == 0, following.stdout + following.stderr
    assert re.search(rf'removed what was left of .* in {node}', following.stdout)
    assert list(root.iterdir()) == []
    assert not [*project.output.glob('artifacts/*/.system/executor_execution/*/.temp')]
    assert not [*project.output.glob('artifacts/*/.system/stateful_working_dir/*')]
    store = metadata_store.open_sqlite(project.output / 'metadata.sqlite')
    states = {execution.last_known_state for execution in store.get_executions()}
    assert not states & {pb.Execution.RUNNING, pb.Execution.NEW}
    recorded = {artifact.uri for artifact in store.get_artifacts()}
    folders = {str(path) for path in project.output.glob('artifacts/*/[!.]*/[0-9]*')}
    assert folders == {uri for uri in recorded if '/artifacts/' in uri}


def test_the_result_is_the_same(project: Project) -> None:
    run = project.thawline('run')
    assert run.returncode == 0, run.stdout + run.stderr
    assert 'BLESSED' in run.stdout
    (version,) = (project.output / 'serving' / 'staging').iterdir()
    assert (version / 'saved_model.pb').is_file()
