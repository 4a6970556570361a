"""What a person sees of a search, and what is refused before one."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import pytest
import rich.console
import yaml

from thawline.components.shared.errors import ConfigError
from thawline.components.tuning.record import HeadRecord, TrialRecord, TuningRecord
from thawline.pipeline.commands import tune
from thawline.pipeline.config import config, loading
from thawline.pipeline.config.project import Project
from thawline.pipeline.runners import checks

PRESENT = {
    'fine_tune.blocks': 10,
    'fine_tune.learning_rate': 6e-4,
    'fine_tune.block_decay': 0.8,
    'augmentation': 'standard',
    'class_weights': 'none',
}


def parsed(text: str = '') -> config.Config:
    return loading.parse('name: x\ndata: {source: images}\n' + text, 'thawline.yaml')


def trial(loss: float, **changes: Any) -> TrialRecord:
    return TrialRecord({**PRESENT, **changes}, 0.9, loss, 'fine_tuned', 12.0)


def record(chosen: int = 1, **changes: Any) -> TuningRecord:
    head = HeadRecord('blocks', 'none', 0.8, log_loss=0.5, recall=0.7, seconds=1.0)
    top = dataclasses.replace(head, features='top', accuracy=0.75)
    changed = {'fine_tune.learning_rate': 2.5e-4, 'augmentation': 'flip'}
    diverged = TrialRecord(PRESENT, None, None, None, None)
    content: dict[str, Any] = {
        'base': 'mobilenet_v2 at 224 px',
        'mode': 'fine_tune',
        'val_images': 100,
        'standard_error': 0.03,
        'heads': (head, top),
        'found': ('features: blocks stays',),
        'features': 'blocks',
        'trials': (trial(0.4), trial(0.3, **changed), diverged),
        'left_out': 0,
        'chosen': chosen,
        'why': 'because of the numbers',
    }
    return TuningRecord(**(content | changes))


def output_of(content: TuningRecord, width: int = 120) -> str:
    file = io.StringIO()
    tune.show(rich.console.Console(file=file, width=width), content, parsed())
    return file.getvalue()


def test_trials_are_sorted_and_marked() -> None:
    lines = output_of(record()).splitlines()
    best, present, diverged = (
        next(i for i, line in enumerate(lines) if line.strip().startswith(mark))
        for mark in ('★  2', '● 1', '3')
    )
    assert best < present < diverged
    assert '0.00025' in lines[best] and 'flip' in lines[best] and 'fine-tuned' in lines[best]
    assert 'diverged' in lines[diverged]
    assert ' 90.0 % ' in lines[best] and ' 0.300 ' in lines[best]
    assert any(' 80.0 % ' in line and ' 70.0 % ' in line and ' 0.500 ' in line for line in lines)


def test_choice_error_and_reason_are_said() -> None:
    text = output_of(record())
    assert 'use trial 2: because of the numbers' in text
    assert 'one standard error of an accuracy on 100 images is 3.0 points' in text
    assert 'tuned: true' in text
    kept = output_of(record(chosen=0))
    assert 'keep the current settings: because' in kept
    assert 'nothing to change' in kept and 'tuned: true' not in kept


def test_what_was_not_tried_is_said() -> None:
    assert '3 trainings left out' in output_of(record(left_out=3))
    assert 'mode is probe' in output_of(record(mode='probe'))


def test_yaml_lines_make_a_valid_project_file() -> None:
    lines = tune.yaml_lines(record(features='top'))
    assert yaml.safe_load(lines) == {
        'embedding': {'features': 'top'},
        'training': {'fine_tune': {'learning_rate': 2.5e-4}, 'augmentation': 'flip'},
    }
    written = parsed(lines)
    assert written.training.fine_tune.learning_rate == 2.5e-4
    assert written.embedding.features == 'top'


def test_tuned_run_without_anything_tuned_is_refused(tmp_path) -> None:
    project = Project.of(parsed(), tmp_path)
    with pytest.raises(
        ConfigError, match='training.tuned is true.*no tuning result; run thawline tune'
    ):
        checks.check_tuned(project)


@pytest.mark.parametrize(
    ('text', 'says'),
    [
        ('tuning: {trials: 0}', 'tuning.trials'),
        ('tuning: {trials: 51}', 'tuning.trials'),
        ('tuning: {budget: 5}', 'tuning.budget'),
        ('tuning: {epoch: 3}', 'tuning.epoch'),
        ('training: {tuned: 1.5}', 'training.tuned'),
    ],
)
def test_wrong_settings_are_named(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parsed(text)
