"""Change one thing, run again: what runs, what is compared, what is served, what is shown.

All changes happen to one project, in the order of the table.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import shutil
from collections.abc import Callable, Mapping
from typing import Literal

import keras
import numpy as np
import pytest

from tests import tiny_base
from tests.e2e.conftest import Project
from thawline.components import backbones
from thawline.components.evaluation import predictions

pytestmark = pytest.mark.e2e

DATA = 'source: images, split: {{train: 0.4, val: 0.2, test: 0.4, seed: {seed}}}'
GATE = 'class_floor: null, paired_test: null, test_contradiction: null'
SECTIONS = {
    'data': f'{{{DATA.format(seed=0)}}}',
    'preprocessing': '{image_size: 32}',
    'model': f'{{backbone: {tiny_base.NAME}, weights: base.weights.h5}}',
    'training': '{mode: probe, augmentation: none}',
    'embedding': '{views: 0}',
    'gate': f'{{val_accuracy: 0.3, strictness: point, {GATE}}}',
}
ALWAYS = {'Baseline', 'LastReport', 'Pusher'}  # they look at what is there now
JUDGING = {*ALWAYS, 'Evaluator', 'Report'}
TRAINING = {*JUDGING, 'Embedder', 'DataAudit', 'Trainer', 'ServingCheck', 'Exporter'}
DATA_CHECKS = {'StatisticsGen', 'SchemaGen', 'ExampleValidator', 'DataGate'}
ALL = {*TRAINING, *DATA_CHECKS, 'ImageExampleGen', 'Transform'}


Compared = Literal['none', 'some', 'all']  # of the test images


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What is there after a run.

    Attributes:
        nodes: those that no cache served.
        compared: how many of the test images the baseline was asked about.
        blessed: by the gate.
        side: of the images that the model in staging takes, in pixels.
        model: bytes of its graph, weights and card.
        version: the highest in staging.
        settings: that the report shows as changed.
    """

    nodes: frozenset[str]
    compared: Compared
    blessed: bool
    side: int
    model: tuple[bytes, ...]
    version: int
    settings: frozenset[str]


@dataclasses.dataclass(frozen=True)
class Change:
    """What is done before a run, and what has to be there after it.

    Attributes:
        name: of the change.
        sections: of thawline.yaml, beside the usual ones.
        act: what else is done, given the project's folder.
        nodes: those that run.
        compared: one of these; None where no model is judged.
        served: the change whose model staging serves then; its own by default.
        pushed: whether that is a new version.
        shown: the settings that the report shows as changed; None where there is no new one.
        blessed: by the gate.
    """

    name: str
    nodes: set[str]
    compared: set[Compared] | None = None
    sections: Mapping[str, str] = dataclasses.field(default_factory=dict)
    act: Callable[[pathlib.Path], None] = lambda home: None
    served: str = ''
    pushed: bool = True
    shown: set[str] | None = None
    blessed: bool = True


def write_weights(home: pathlib.Path, seed: int) -> None:
    """Of the same name, size and time, whatever the seed."""
    keras.utils.set_random_seed(seed)
    path = home / 'base.weights.h5'
    backbones.build(tiny_base.NAME, 32, 'random').model.save_weights(path)
    os.utime(path, (10**9, 10**9))


def two_images(home: pathlib.Path) -> list[pathlib.Path]:
    """Of different classes."""
    return [home / 'images' / name / '001.png' for name in ('moss', 'slate')]


def begin(home: pathlib.Path) -> None:
    """Writes weights, and makes two images equally large."""
    write_weights(home, 1)
    size = max(path.stat().st_size for path in two_images(home))
    for path in two_images(home):
        path.write_bytes(path.read_bytes().ljust(size, b'\0'))


def touch_image(home: pathlib.Path) -> None:
    (home / 'images' / 'moss' / '002.png').touch()


def exchange_contents(home: pathlib.Path) -> None:
    """Of two images of one size, which keep their times."""
    paths = two_images(home)
    contents = [path.read_bytes() for path in paths]
    for path, data in zip(paths, reversed(contents), strict=True):
        time = path.stat().st_mtime_ns
        path.write_bytes(data)
        os.utime(path, ns=(time, time))


def empty_staging(home: pathlib.Path) -> None:
    shutil.rmtree(home / 'runs' / 'stones' / 'serving' / 'staging')


WEIGHTS = 'other weights in the same file'
CHANGES = (
    Change('first run', ALL, {'none'}, act=begin),
    Change('image touched', ALWAYS, act=touch_image, served='first run', pushed=False),
    Change(WEIGHTS, TRAINING, {'all'}, act=lambda home: write_weights(home, 2), shown=set()),
    Change(
        'split.seed',
        ALL,
        {'some'},
        {'data': f'{{{DATA.format(seed=1)}}}'},
        shown={'data.split.seed'},
    ),
    Change('split.seed back', ALWAYS, served=WEIGHTS),
    Change(
        'resize',
        {*TRAINING, 'Transform'},
        {'some'},  # of those that the model of the other seed has not seen
        {'preprocessing': '{image_size: 32, resize: crop}'},
        shown={'preprocessing.resize'},
    ),
    Change(
        'image_size',
        {*TRAINING, 'Transform'},
        {'all'},
        {'preprocessing': '{image_size: 48}'},
        shown={'preprocessing.resize', 'preprocessing.image_size'},
    ),
    Change('image_size back', ALWAYS, served=WEIGHTS),
    Change(
        'groups',
        ALL,
        {'some', 'none'},  # none of too few
        {'data': f"{{{DATA.format(seed=0)}, group_pattern: '/(\\d\\d)'}}"},
        shown={'data.group_pattern'},
    ),
    Change(
        'gate that refuses',
        {*JUDGING, 'Exporter', 'ServingCheck'},
        {'all'},
        {'gate': f'{{val_accuracy: 1.0, strictness: bound, {GATE}}}'},  # no bound is 1
        served='groups',
        pushed=False,
        shown={'gate.val_accuracy', 'gate.strictness'},
        blessed=False,
    ),
    Change('all back, staging emptied', ALWAYS, act=empty_staging, served=WEIGHTS),
    Change('contents exchanged', ALL, {'all', 'some'}, act=exchange_contents, shown=set()),
)


def observe(project: Project, output: str) -> Outcome:
    nodes = dict(re.findall(r'^[✓!] (\w+)\s+(\S+)', output, re.MULTILINE))
    assert nodes.keys() == ALL, output
    evaluation = project.artifact('Evaluator', 'evaluation')
    verdict = json.loads((evaluation / 'verdict.json').read_text('utf-8'))
    table = predictions.read(str(evaluation))
    answers = table.baseline_answers
    asked = np.zeros(len(table), bool) if answers is None else answers != predictions.NOT_ASKED
    in_test = table.splits == 'test'
    assert (in_test | (table.folds != predictions.NO_FOLD))[asked].all()
    compared: Compared = 'some' if asked[in_test].any() else 'none'
    report = json.loads((project.artifact('Report', 'report') / 'content.json').read_text('utf-8'))
    (card,) = (card for card in report['cards'] if card['name'] == 'changes')
    details = {fact['term']: fact['detail'] for fact in card['facts']}.get('Configuration', '')
    version = max(project.versions(), key=lambda folder: int(folder.name))
    parts = (
        'saved_model.pb',
        'variables/variables.data-00000-of-00001',
        'assets.extra/thawline.json',
    )
    model = tuple((version / part).read_bytes() for part in parts)
    return Outcome(
        frozenset(node for node, state in nodes.items() if state != 'cached'),
        'all' if in_test.any() and asked[in_test].all() else compared,
        verdict['blessed'],
        json.loads(model[-1])['image_size'],
        model,
        int(version.name),
        frozenset(
            re.findall(r'([\w.]+): \S.* → ', line)[0] for line in details.split('; ') if line
        ),
    )


@pytest.fixture(scope='module')
def outcomes(make_project: Callable[..., Project]) -> dict[str, Outcome]:
    """By the name of the change."""
    project = make_project(images=24)
    result = {}
    for change in CHANGES:
        change.act(project.home)
        project.write(**SECTIONS | change.sections)
        done = project.thawline('run')
        assert done.returncode == (0 if change.blessed else 3), done.stdout + done.stderr
        result[change.name] = observe(project, done.stdout)
    return result


@pytest.mark.parametrize('change', CHANGES, ids=lambda change: change.name)
def test_change(outcomes: dict[str, Outcome], change: Change) -> None:
    outcome = outcomes[change.name]
    assert outcome.nodes == change.nodes
    assert change.compared is None or outcome.compared in change.compared
    assert outcome.blessed == change.blessed or 'Evaluator' not in outcome.nodes
    served = outcomes[change.served or change.name]
    assert outcome.model == served.model
    earlier = [o.version for name, o in outcomes.items()][: CHANGES.index(change)]
    assert (outcome.version > max(earlier, default=0)) == change.pushed
    if not change.pushed:
        assert outcome.version == earlier[-1]
    if change.shown is not None:
        assert outcome.settings == change.shown
