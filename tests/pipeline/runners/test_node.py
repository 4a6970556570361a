"""Nodes of a run that several processes work on: what runs, what does not, and why."""

from __future__ import annotations

import contextlib
import os
import pathlib

import pytest

from tests.pipeline.runners import tiny_nodes
from thawline.pipeline.metadata import runs as metadata
from thawline.pipeline.metadata.stores import opening
from thawline.pipeline.runners import compiled_file
from thawline.pipeline.runners.failures import AlreadyRunning, InputsMissing, NodeFailed
from thawline.pipeline.runners.node import NodeRunner
from thawline.pipeline.system import file_locks

ALL = ['One', 'Two', 'Three']


class Told:
    """Notes what the runner tells."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    @contextlib.contextmanager
    def show_running(self, node: str):
        self.lines.append(f'> {node}')
        yield

    def show_done(self, result) -> None:
        self.lines.append(f'{result.node} {result.state}')

    def show_complete(self, result) -> None:
        self.lines.append(f'{result.node} kept')


class Process:
    """What a process that runs nodes has; `told` is what it said."""

    def __init__(self, home: pathlib.Path, run_id: str = 'r1') -> None:
        self.found = compiled_file.read(home / compiled_file.FILE)
        self._told = Told()
        self.runner = NodeRunner(self.found, run_id, self._told)

    def run(self, *nodes: str, force: bool = False) -> list[str]:
        self._told.lines.clear()
        self.runner.run(self.found.in_order(nodes), force)
        return self._told.lines

    @property
    def run_nodes(self) -> dict[str, str]:
        """States of the nodes of the run, in order of their start."""
        return {one.node: one.state for one in self.runner.whole_run()}


@pytest.fixture
def home(tmp_path: pathlib.Path) -> pathlib.Path:
    tiny_nodes.written(tmp_path)
    return tmp_path


def test_node_by_node_in_processes_of_their_own_makes_a_run(home):
    for node in ALL:
        process = Process(home)
        assert process.runner.has_to_run([node], force=False)
        assert not process.runner.is_complete
        assert process.run(node) == [f'> {node}', f'{node} complete']
        assert process.runner.ran == [node]
    assert process.runner.is_complete
    assert process.run_nodes == dict.fromkeys(ALL, 'complete')
    assert tiny_nodes.line('Three', process.found.project) == 'three(one(), two(one()))'
    (run,) = metadata.read_runs(opening.find_store(process.found.project), 'tiny')
    assert run.id == 'r1' and [node.node for node in run.nodes] == ALL


def test_complete_nodes_are_left_as_they_are(home):
    Process(home).run(*ALL)
    process = Process(home)
    assert not process.runner.has_to_run(ALL, force=False)
    assert process.run('Three', 'One', 'Two') == [f'{node} kept' for node in ALL]
    assert process.runner.ran == []
    assert len(list((process.found.project.artifacts / 'Two' / 'made').iterdir())) == 1


def test_missing_inputs_are_named_and_nothing_is_recorded(home):
    process = Process(home)
    with pytest.raises(InputsMissing, match='inputs are missing: One did not run; Two did not run'):
        process.runner.has_to_run(['Three'], force=False)
    with pytest.raises(InputsMissing, match='Three did not run'):
        process.run('Three')
    assert process.run_nodes == {}
    assert process.run('One', 'Two', 'Three')[-1] == 'Three complete'


def test_a_failed_node_ends_the_process_and_the_next_one_goes_on(home, monkeypatch):
    monkeypatch.setenv(tiny_nodes.FAIL, 'Two')
    process = Process(home)
    with pytest.raises(NodeFailed, match='told to fail'):
        process.run(*ALL)
    assert process.run_nodes == {'One': 'complete', 'Two': 'failed'}
    with pytest.raises(InputsMissing, match='Two failed'):
        Process(home).run('Three')
    monkeypatch.delenv(tiny_nodes.FAIL)
    process = Process(home)
    assert process.run(*ALL)[0] == 'One kept'
    assert process.run_nodes == dict.fromkeys(ALL, 'complete')


def test_force_runs_again_and_all_below_is_out_of_date_until_it_ran(home):
    Process(home).run(*ALL)
    assert Process(home).run('One', force=True) == ['> One', 'One complete'], 'not from the cache'
    process = Process(home)
    assert not process.runner.is_complete
    with pytest.raises(InputsMissing, match='Two is out of date: One ran again after it'):
        process.run('Three', force=True)
    # The cache knows the line of before by another artifact, so both run.
    assert process.run('Two', 'Three') == [
        '> Two', 'Two complete', '> Three', 'Three complete',
    ]  # fmt: skip
    assert process.runner.is_complete
    assert tiny_nodes.line('Three', process.found.project) == 'three(one(), two(one()))'


def test_a_node_that_was_compiled_anew_runs_again_in_the_same_run(home):
    Process(home).run(*ALL)
    tiny_nodes.written(home, Two='zwei')
    process = Process(home)
    with pytest.raises(InputsMissing, match='Two ran with other settings or code'):
        process.run('Three')
    assert process.run(*ALL) == [
        'One kept', '> Two', 'Two complete', '> Three', 'Three complete',
    ]  # fmt: skip
    assert tiny_nodes.line('Three', process.found.project) == 'three(one(), zwei(one()))'


def test_two_runs_side_by_side_do_not_see_each_other(home):
    first, second = Process(home, 'a'), Process(home, 'scheduled__2026-01-01T00:00:00+00:00')
    first.run('One')
    with pytest.raises(InputsMissing, match='One did not run'):
        second.run('Two')
    assert second.run('One') == ['> One', 'One cached']
    first.run('Two')
    assert second.run('Two', 'Three')[-1] == 'Three complete'
    assert first.run_nodes == {'One': 'complete', 'Two': 'complete'}
    runs = metadata.read_runs(opening.find_store(first.found.project), 'tiny')
    assert [run.id for run in runs] == ['a', 'scheduled__2026-01-01T00:00:00+00:00']


def test_what_another_process_is_running_is_left_to_it(home):
    process = Process(home)
    path = process.found.project.node_locks / 'r1-One'
    with file_locks.lock(path, '4711'):
        with pytest.raises(AlreadyRunning, match='process 4711 is running it'):
            process.run('One')
        # And before TFX is started for it, which takes a while.
        with pytest.raises(AlreadyRunning, match='process 4711 is running it'):
            process.runner.has_to_run(['One'], force=False)
    assert process.run('One') == ['> One', 'One complete']
    assert os.listdir(process.found.project.node_locks) == []
