"""Tuning, then a run that takes what was tuned, as a user does it."""

from __future__ import annotations

import json
import re

import pytest

pytestmark = pytest.mark.e2e

TRAINING = (
    '{batch_size: 8, augmentation: none, tuned: true, '
    'fine_tune: {blocks: 1, epochs: 2, learning_rate: 1.0e-6}}'
)


def test_tune_then_run_with_what_was_tuned(make_project):
    project = make_project(images=20, training=TRAINING, tuning='{trials: 2, epochs: 2}')
    tuned = project.thawline('tune', fresh=True)
    assert tuned.returncode == 0, tuned.stdout + tuned.stderr
    assert re.search(r'^✓ Tuner\s.*2 trainings; best: ', tuned.stdout, re.MULTILINE)
    assert '✓ Trainer' not in tuned.stdout
    assert re.search(r'●\s+1\s+1\s+1e-06\s', tuned.stdout)
    assert 'standard error' in tuned.stdout and 'in thawline.yaml:' in tuned.stdout

    ran = project.thawline('run', '--to', 'Trainer')
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r'^✓ Embedder\s+cached', ran.stdout, re.MULTILINE)
    assert re.search(r'^✓ Tuned\s.*settings of tuning \d+', ran.stdout, re.MULTILINE)
    record = json.loads(
        (project.artifact('Trainer', 'model_run') / 'training.json').read_text('utf-8')
    )
    (file,) = project.artifact('Tuner', 'best_hyperparameters').iterdir()
    values = json.loads(file.read_text('utf-8'))['values']
    assert record['tuned'] == {name: values[name] for name in record['tuned']}
    assert 'fine_tune.learning_rate' in record['tuned']
