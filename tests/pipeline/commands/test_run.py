"""`thawline run`: its options reach the run."""

from __future__ import annotations

import pathlib

import pytest

from thawline.pipeline.commands.run import command
from thawline.pipeline.config.project import Project
from thawline.pipeline.runners import run
from thawline.pipeline.terminal import exit_codes


def test_options_reach_the_run(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'thawline.yaml').write_text('name: x\ndata: {source: images}\n')
    calls: list[tuple[Project, run.RunOptions]] = []
    monkeypatch.setattr(run, 'execute', lambda *arguments: calls.append(arguments))
    monkeypatch.setattr(exit_codes, 'leave', lambda outcome: None)
    for arguments in (
        [],
        ['--engine', 'multiprocess', '--from', 'Transform', '--to', 'Trainer', '--no-cache'],
        ['--only', 'Trainer'],
    ):
        command.main([str(tmp_path), *arguments], standalone_mode=False)
    assert [project.config.beam.engine for project, _ in calls] == [
        'local',
        'multiprocess',
        'local',
    ]
    assert [options for _, options in calls] == [
        run.RunOptions(),
        run.RunOptions(('Transform',), ('Trainer',), False),
        run.RunOptions(('Trainer',), ('Trainer',)),
    ]
