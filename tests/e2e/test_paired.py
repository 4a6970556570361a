"""One question, one answer: the gate, the report and `thawline compare` on the same two models."""

from __future__ import annotations

import html
import json
import pathlib
import re
import shutil
from typing import Any

import pytest

from tests.e2e.conftest import CLASSES, TINY_BASE, Project, draw_classes
from thawline.components.statistics import paired, paired_outcome

pytestmark = pytest.mark.e2e

DATA = '{source: images, split: {train: 0.4, val: 0.2, test: 0.4}}'
TRAINING = '{mode: probe, augmentation: none}'
GATE = 'val_accuracy: 0.3, strictness: point, class_floor: null'


def run(project: Project, gate: str = '', size: int = 32) -> str:
    """Runs the chain; the output of the run."""
    project.write(
        data=DATA,
        model=TINY_BASE,
        training=TRAINING,
        embedding='{views: 0}',
        gate=f'{{{GATE}{gate}}}',
        preprocessing=f'{{image_size: {size}}}',
    )
    done = project.thawline('run')
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def verdict(project: Project) -> dict[str, Any]:
    text = (project.artifact('Evaluator', 'evaluation') / 'verdict.json').read_text('utf-8')
    values: dict[str, Any] = json.loads(text)
    return values


def fact(project: Project) -> dict[str, str]:
    """What the report's card of changes says of the baseline."""
    content = json.loads((project.artifact('Report', 'report') / 'content.json').read_text('utf-8'))
    (card,) = (card for card in content['cards'] if card['name'] == 'changes')
    (found,) = (fact for fact in card['facts'] if fact['term'] == 'Against the baseline')
    return dict(found)


def run_ids(project: Project) -> list[str]:
    done = project.thawline('runs')
    return sorted(set(re.findall(r'\d{8}-\d{6}\.\d+', done.stdout)))


def assert_agree(project: Project, baseline: str, candidate: str, named: str) -> dict[str, Any]:
    """Gate, report and compare have the same counts, p and outcome; returns the gate's."""
    found: dict[str, Any] = verdict(project)['paired']
    test = paired.compare(found['won'], found['lost'], found['n'])
    assert (found['p_value'], found['outcome']) == (test.p_value, test.outcome)
    shown = fact(project)
    assert shown['value'].startswith(str(test.outcome))
    (rule,) = (one for one in verdict(project)['rules'] if one['name'] == 'paired_test')
    assert shown['detail'] == rule['sentence']
    shared = 'of the shared classes' in rule['sentence']
    words = paired_outcome.describe(test, 'the new model', named, shared)
    assert rule['sentence'].startswith(words)
    for first, second, expected in (
        (baseline, candidate, test),
        (candidate, baseline, paired.compare(test.lost, test.won, test.n)),
    ):
        page = project.thawline('compare', first, second, '--format', 'md')
        assert page.returncode == 0, page.stdout + page.stderr
        assert paired_outcome.describe(expected, 'B', 'A', shared) in html.unescape(page.stdout)
    return found


def test_gate_report_and_compare_agree(make_project) -> None:
    project: Project = make_project(images=60)
    run(project)
    (first,) = run_ids(project)

    run(project, size=40)
    _, second = run_ids(project)
    found = assert_agree(project, first, second, 'the latest blessed model')
    assert found['n'] >= 60

    # The one in production, though a later one was blessed.
    promoted = project.thawline('promote', first, '--yes')
    assert promoted.returncode == 0, promoted.stdout + promoted.stderr
    run(project, ', baseline: production', size=36)
    third = run_ids(project)[-1]
    assert_agree(project, first, third, 'the model in production')
    # Served from the cache while production is the same.
    out = run(project, ', baseline: production', size=36)
    assert re.search(r'Evaluator +cached', out), out
    promoted = project.thawline('promote', second, '--yes')
    assert promoted.returncode == 0, promoted.stdout + promoted.stderr
    out = run(project, ', baseline: production', size=36)
    assert not re.search(r'Evaluator +cached', out), out
    fourth = run_ids(project)[-1]
    assert_agree(project, second, fourth, 'the model in production')

    # A class more: the others are still compared.
    before = verdict(project)['paired']['n']
    extra = pathlib.Path(project.home / 'extra')
    draw_classes(extra, 40, seed=5)
    shutil.move(extra / CLASSES[0], project.home / 'images' / 'zinc')
    run(project, ', baseline: production', size=36)
    last = run_ids(project)[-1]
    assert_agree(project, second, last, 'the model in production')
    (rule,) = (one for one in verdict(project)['rules'] if one['name'] == 'paired_test')
    assert "added 'zinc'" in rule['sentence']
    assert verdict(project)['paired']['n'] == before
