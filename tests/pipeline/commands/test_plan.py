"""What `thawline plan` says, and of how many images."""

from __future__ import annotations

import io
import pathlib

import click.testing
import pytest
import rich.console

from thawline.components.ingestion.params import Split
from thawline.components.ingestion.source_types import SourceItem
from thawline.components.shared.errors import ConfigError, DataError
from thawline.pipeline.commands import init, plan
from thawline.pipeline.commands.arguments import load
from thawline.pipeline.planning import power
from thawline.pipeline.planning.judges import Judges, judges_of, judges_of_items


def test_who_judges() -> None:
    assert judges_of(Split(folds='auto'), [50, 50]) == Judges(100, 10, 100, 15)
    assert judges_of(Split(folds='auto'), [200, 200]) == Judges(400, 5, 400, 60)
    assert judges_of(Split(folds=5, test=0.2), [200, 200]).judging == 320
    assert judges_of(Split(), [50, 50]) == Judges(100, 0, 15, 15)
    assert judges_of(Split(folds='auto'), [300, 100], 30) == Judges(30, 5, 30, 4, 'group')
    with pytest.raises(ConfigError, match='--groups 11 is more than the 10 images'):
        judges_of(Split(), [10], 11)


def listed(number: int, **of: str) -> list[SourceItem]:
    """So many images of two classes."""
    name = '-'.join(of.values())
    return [
        SourceItem(f'/{name}{k}.png', f'{name}{k}.png', 'ab'[k % 2], **of) for k in range(number)
    ]


def test_who_judges_where_the_source_gives_splits_folds_or_groups() -> None:
    auto = Split(folds='auto')
    unlabelled = SourceItem('/x.png', 'x.png')
    assert judges_of_items(auto, [*listed(100), unlabelled]) == Judges(100, 10, 100, 15)
    three = [*listed(60, split='train'), *listed(30, split='val'), *listed(10, split='test')]
    assert judges_of_items(auto, three) == Judges(100, 0, 30, 30)
    # val is taken out of train as the shares are: 0.15 / 0.85, or 0.15 where test is missing, too.
    without_val = [*listed(85, split='train'), *listed(15, split='test')]
    assert judges_of_items(auto, without_val) == Judges(100, 0, 15, 15)
    assert judges_of_items(auto, listed(100, split='train')) == Judges(100, 0, 15, 15)
    with pytest.raises(DataError, match='the source gives splits'):
        judges_of_items(Split(folds=5), three)
    folds = [item for fold in 'pqrs' for item in listed(20, fold=fold)]
    assert judges_of_items(auto, folds) == Judges(80, 4, 80, 12)
    tested = [*folds, *listed(20, split='test')]
    assert judges_of_items(auto, tested) == Judges(100, 4, 80, 15)
    in_groups = [item for group in range(30) for item in listed(4, group=f'leaf {group}')]
    assert judges_of_items(auto, in_groups) == Judges(30, 10, 30, 4, 'group')
    assert judges_of_items(auto, in_groups, 20) == Judges(20, 10, 20, 3, 'group')


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
    code, text = run('--groups', '20', cwd=tmp_path, monkeypatch=monkeypatch)
    assert code and '--groups 20' in text and '--images 100' in text
    for share, words in (
        ('90', 'share: 0.9.'),
        ('0', '0.0<x<1.0'),
        ('1', '0.0<x<1.0'),
        ('1.2', '1.2 is not in the range 0.0<x<1.0'),
        ('nan', 'nan is no share'),
    ):
        code, text = run(
            '--images', '9', '--accuracy', share, cwd=tmp_path, monkeypatch=monkeypatch
        )
        assert code == 2 and words in text
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
    assert code == 0 and 'strictness is point' in text and 'threshold 70.0 %' in text
    (tmp_path / 'thawline.yaml').write_text(f'{project}gate: {{unit: group}}\n')
    code, text = run('--images', '100', cwd=tmp_path, monkeypatch=monkeypatch)
    assert code and 'of how many groups the 100 images are' in text
    code, text = run('--images', '100', '--groups', '30', cwd=tmp_path, monkeypatch=monkeypatch)
    assert code == 0 and '30 groups' in text and 'A group counts as one image' in text
    code, text = run('--folds', '0', cwd=tmp_path, monkeypatch=monkeypatch)
    assert code == 0 and '60 images, 9 judge: one split' in text
    for folds in ('2', 'many'):
        code, text = run('--folds', folds, cwd=tmp_path, monkeypatch=monkeypatch)
        assert code and '--folds' in text and folds in text


def test_no_chance_is_rounded_to_certainty() -> None:
    text = output(Judges(200, 10, 200, 30), 0.8)
    assert 0.995 < power.chance(200, 0.96, 0.8) < 1
    (row,) = (line for line in text.splitlines() if line.strip().startswith('96.0 %'))
    assert '>99 %' in row and '100 %' not in row
    assert '99.95 %' in output(Judges(100, 10, 100, 15), 0.999)


def test_without_images_or_a_project_it_says_how_many_it_takes(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, text = run(cwd=tmp_path, monkeypatch=monkeypatch)
    assert code == 0 and 'threshold 80.0 %' in text and 'auto' in text
    (row,) = (line.split() for line in text.splitlines() if line.strip().startswith('90.0 %'))
    in_folds = [power.images_for(share, 0.9, 0.8) for share in (0.8, 0.95)]
    assert in_folds == [113, 179]
    assert row[2:] == ['113', '179', '754', '1,194']  # 113 / 0.15 = 753.3, 179 / 0.15 = 1,193.3
    assert judges_of(Split(), [754]).judging >= 113 and judges_of(Split(), [1194]).judging >= 179
    assert max(map(len, [line for line in text.splitlines() if '%  ' in line])) <= 80
    code, text = run('--folds', '0', '--accuracy', '0.9', cwd=tmp_path, monkeypatch=monkeypatch)
    assert code == 0 and '754' in text and '113' not in text and 'In folds' not in text


def test_at_the_threshold_no_number_of_images_helps(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, text = run('--accuracy', '0.8', cwd=tmp_path, monkeypatch=monkeypatch)
    assert code == 0 and text.count('never') == 4
    assert output(Judges(100, 10, 100, 15), 0.8, 0.8).count('never') == 2
    assert '>20,000' in output(Judges(100, 10, 100, 15), 0.8, 0.801)


@pytest.mark.parametrize('number', [10, 120])
def test_init_says_what_a_model_must_be_right_on(tmp_path: pathlib.Path, number: int) -> None:
    for item in listed(number):
        file = tmp_path / 'images' / item.label / item.relative_path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b'listed, not read')
    folder = tmp_path / 'project'
    arguments = [str(folder), '--data', str(tmp_path / 'images')]
    done = click.testing.CliRunner().invoke(init.command, arguments)
    assert done.exit_code == 0, done.output
    gate = load(folder / 'thawline.yaml').config.gate
    least = power.accuracy_for(0.8, number, gate.val_accuracy)
    if number == 10:
        assert least is None and 'with 10 to judge by, no model can pass' in done.output
    else:
        assert least is not None
        assert f'in 4 of 5 cases, a model must be right on {100 * least:.0f} %' in done.output
    assert f'thawline plan {folder}' in done.output
