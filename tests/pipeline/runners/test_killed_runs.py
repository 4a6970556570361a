"""What the next start makes of runs that were killed."""

from __future__ import annotations

import dataclasses
import pathlib
import tempfile

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from tests.pipeline.runners import tiny_nodes
from tests.pipeline.runners.test_launching import executions, killed_in, run_of
from thawline.pipeline.commands import runs
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata import execution_states
from thawline.pipeline.metadata import runs as metadata
from thawline.pipeline.metadata.stores import opening
from thawline.pipeline.runners import killed_runs
from thawline.pipeline.system.process_identity import ProcessIdentity


@pytest.fixture
def project(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """With a folder of temporary files that no other process uses."""
    (tmp_path / 'tmp').mkdir()
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path / 'tmp'))
    return tiny_nodes.made(tmp_path)


def outcome(project: Project) -> str:
    return runs.outcome(metadata.read_runs(opening.find_store(project), 'tiny')[-1])


def left(project: Project) -> list[str]:
    """What lies in the folder of node Two, but for the folders that TFX leaves empty."""
    node = project.artifacts / 'Two'
    return sorted(
        str(path.relative_to(node))
        for path in node.glob('**/*')
        if path.is_file() or path.name == '.temp' or path.parent.name == 'stateful_working_dir'
    )


def as_process(project: Project, node: str, **changes: object) -> None:
    """Says that another process ran the newest execution of a node; `process=None` says none."""
    store = opening.find_store(project)
    execution = executions(project, node)[-1]
    process = execution_states.process(execution)
    if changes:
        text = dataclasses.replace(process, **changes).text
        execution.custom_properties[execution_states.PROCESS].string_value = text
    else:
        execution.custom_properties[execution_states.PROCESS].string_value = ''
    store.put_executions([execution])


def test_it_is_shown_as_killed_and_cleaned_up_once(project: Project) -> None:
    run_of(project).launch('One')
    killed_in(project, 'Two')
    assert outcome(project) == 'killed in Two'
    (execution,) = executions(project, 'Two')
    assert {pathlib.Path(path).name.partition('-')[0] for path in left(project)} >= {
        '.temp', 'part',
    }  # fmt: skip
    line = killed_runs.clean_up(project, alone=True)
    assert line is not None and 'r1 in Two' in line
    (execution,) = executions(project, 'Two')
    assert execution.last_known_state == pb.Execution.CANCELED
    assert outcome(project) == 'killed in Two'
    assert left(project) == []
    assert killed_runs.clean_up(project, alone=True) is None
    assert run_of(project).launch('Two').state == 'complete'


UNKNOWN = 'under way elsewhere, or killed, in Two'


@pytest.mark.parametrize(
    ('changes', 'alone', 'is_killed', 'words'),
    [
        ({'host': 'elsewhere', 'boot': 'x'}, True, False, UNKNOWN),
        ({'boot': 'x'}, False, True, 'killed in Two'),  # the machine was restarted
        # Of another container of this machine, or an earlier version: the lock says what it is.
        ({'host': 'elsewhere', 'namespace': 'x'}, False, False, UNKNOWN),
        ({'host': 'elsewhere', 'namespace': 'x'}, True, True, UNKNOWN),
        ({}, False, False, UNKNOWN),
        ({}, True, True, UNKNOWN),
        (dataclasses.asdict(ProcessIdentity.own()), True, False, 'under way in Two'),
    ],
)
def test_only_what_is_surely_dead(
    project: Project, changes: dict[str, object], alone: bool, is_killed: bool, words: str
) -> None:
    run_of(project).launch('One')
    killed_in(project, 'Two')
    as_process(project, 'Two', **changes)
    assert outcome(project) == words
    before = left(project)
    assert (killed_runs.clean_up(project, alone) is not None) == is_killed
    assert (left(project) == before) != is_killed
    assert outcome(project) == ('killed in Two' if is_killed else words)


def test_nothing_ran_yet(project: Project) -> None:
    assert killed_runs.clean_up(project, alone=True) is None
