"""Which files are those of the model that is meant."""

from __future__ import annotations

import pathlib

import pytest

from tests.made_runs import Runs
from thawline.components.shared.errors import ConfigError, NotFound
from thawline.pipeline.config import loading
from thawline.pipeline.config.project import Project
from thawline.pipeline.registry import lookup


def project(home: pathlib.Path, more: str = '') -> Project:
    parsed = loading.parse(f'name: x\ndata: {{source: images}}\n{more}', 'thawline.yaml')
    return Project.of(parsed, home)


def saved_model(folder: pathlib.Path) -> pathlib.Path:
    folder.mkdir(parents=True)
    (folder / 'saved_model.pb').write_bytes(b'x')
    return folder


def resolved(home: pathlib.Path, wanted: str) -> pathlib.Path:
    return lookup.find_saved_model(project(home), wanted)


def test_a_stage_is_its_highest_version(tmp_path: pathlib.Path) -> None:
    serving = tmp_path / 'runs' / 'x' / 'serving'
    for stage, versions in (('staging', ('9', '10', 'notes')), ('production', ('2',))):
        for version in versions:
            saved_model(serving / stage / version)
    (serving / 'staging' / '11').mkdir()  # a version that is not complete
    assert resolved(tmp_path, 'staging') == serving / 'staging' / '10'
    assert resolved(tmp_path, 'production') == serving / 'production' / '2'
    assert resolved(tmp_path, str(serving / 'staging' / '9')) == serving / 'staging' / '9'


def test_nothing_is_there_yet(tmp_path: pathlib.Path) -> None:
    for wanted, hint in (
        ('production', 'no model in .*production; promote one .* --model staging'),
        ('staging', 'thawline run'),
        ('last', 'no run yet'),
        ('7', 'no run yet'),
        (str(tmp_path), 'saved_model.pb is missing'),
    ):
        with pytest.raises(NotFound, match=hint):
            resolved(tmp_path, wanted)
    with pytest.raises(ConfigError, match='is at gs://b/models'):
        lookup.find_saved_model(
            project(tmp_path, 'serving: {production: "gs://b/models"}'), 'production'
        )


def test_models_of_runs(tmp_path: pathlib.Path) -> None:
    runs = Runs(tmp_path)
    ids, folders = {}, {}
    for run in ('20260101-1', '20260101-2', '20260102-1', '20260103-1'):
        folders[run] = runs.output / 'artifacts' / 'Trainer' / run
        if run == '20260103-1':  # a run that ended before it had a model
            runs._record(run, 'ImageExampleGen', 'examples', runs.examples)
            continue
        saved_model(folders[run] / 'Format-Serving')
        ids[run] = runs._record(run, 'Trainer', 'model', folders[run]).id
    for wanted, run in (
        ('last', '20260102-1'),
        ('20260102', '20260102-1'),
        ('20260101-1', '20260101-1'),
        (str(ids['20260101-2']), '20260101-2'),
    ):
        assert resolved(tmp_path, wanted) == folders[run] / 'Format-Serving'
    with pytest.raises(ConfigError, match='2 runs begin .*: 20260101-2, 20260101-1;'):
        resolved(tmp_path, '20260101')
    for unknown in ('9999', 'nosuch', ''):
        with pytest.raises(NotFound, match=r"no model '(9999|nosuch|x)'; the newest are: \d+"):
            resolved(tmp_path, unknown or 'x')
    (folders['20260102-1'] / 'Format-Serving' / 'saved_model.pb').unlink()
    with pytest.raises(NotFound, match='was deleted'):
        resolved(tmp_path, 'last')
