"""What `thawline plan` says, and of how many images."""

from __future__ import annotations

import io
import pathlib

import click.testing
import pytest
import rich.console

from thawline.components.ingestion.params import Split
from thawline.components.shared.errors import ConfigError
from thawline.pipeline.commands import plan
from thawline.pipeline.planning import power
from thawline.pipeline.planning.judges import Judges, judges_of


def test_who_judges() -> None:
    assert judges_of(Split(folds='auto'), [50, 50]) == Judges(100, 10, 100, 15)
    assert judges_of(Split(folds='auto'), [200, 200]) == Judges(400, 5, 400, 60)
    assert judges_of(Split(folds=5, test=0.2), [200, 200]).judging == 320
    assert judges_of(Split(), [50, 50]) == Judges(100, 0, 15, 15)
    assert judges_of(Split(folds='auto'), [300, 100], 30) == Judges(30, 5, 30, 4, 'group')
    with pytest.raises(ConfigError, match='--groups 11 is more than the 10 images'):
        judges_of(Split(), [10], 11)


def output(judges: Judges, threshold: float, accuracy: float | None = None) -> str:
    file = io.StringIO()
    console = rich.console.Console(file=file, width=80, force_terminal=True, no_color=True)
    plan.show(console, judges, threshold, accuracy, 0.95)
    return file.getvalue()


def test_the_table_has_the_numbers_and_fits_a_terminal() -> None:
    text = output(Judges(100, 10, 100, 15), 0.8)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    (row,) = (line.split() for line in lines if line.strip().startswith('90.0 %'))
    assert row[2] == f'{100 * power.chance(100, 0.9, 0.8):.0f}' == '70'
    assert row[-2:] == ['113', '179'] and row[-4] == '0'
    assert row[4] == '█' * 14
    assert 'from 90.9 % on' in text


def test_one_accuracy_is_answered_in_a_sentence() -> None:
    text = output(Judges(100, 0, 15, 15), 0.6, 0.95)
    chance = f'{100 * power.chance(15, 0.95, 0.6):.0f} %'
    assert f'passes with a chance of {chance}' in text and 'one split (' not in text
    assert 'folds' not in text


def test_too_few_images_say_how_many_it_takes() -> None:
    assert 'not even 16 of 16 correct are enough; it takes 17' in output(Judges(16, 10, 16, 2), 0.8)


def run(*arguments: str, cwd: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    monkeypatch.chdir(cwd)
    done = click.testing.CliRunner().invoke(plan.command, arguments)
    return done.exit_code, done.output + str(done.exception or '')


def test_with_and_without_a_project(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, text = run('--images', '100', cwd=tmp_path, monkeypatch=monkeypatch)
    assert code == 0 and '100 images, all judge, in 10 folds; threshold 80.0 %' in text
    code, text = run(cwd=tmp_path, monkeypatch=monkeypatch)
    assert code and 'no project here' in text
    for share in ('90', '0', '1'):
        code, text = run(
            '--images', '9', '--accuracy', share, cwd=tmp_path, monkeypatch=monkeypatch
        )
        assert code == 2 and '0.0<x<1.0' in text
    images = tmp_path / 'images'
    for number in range(60):
        file = images / 'ab'[number % 2] / f'{number}.png'
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b'listed, not read')
    project = 'name: x\ndata: {source: images, split: {folds: 5}}\n'
    (tmp_path / 'thawline.yaml').write_text(f'{project}gate: {{val_accuracy: 0.7}}\n')
    code, text = run(cwd=tmp_path, monkeypatch=monkeypatch)
    assert code == 0 and '60 images, all judge, in 5 folds; threshold 70.0 %' in text
    strict = f'{project}gate: {{val_accuracy: 0.7, looks: strict}}\n'
    (tmp_path / 'thawline.yaml').write_text(strict)
    _, stricter = run(cwd=tmp_path, monkeypatch=monkeypatch)
    assert stricter != text
    point = f'{project}gate: {{val_accuracy: 0.7, strictness: point}}\n'
    (tmp_path / 'thawline.yaml').write_text(point)
    code, text = run(cwd=tmp_path, monkeypatch=monkeypatch)
    assert code and '--threshold 0.7' in text
