"""The chain on images in folds, without a test split: every node and command copes with that."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from tests.e2e.conftest import CLASSES, Project, draw_classes
from thawline.components.evaluation import predictions
from thawline.components.shared import image_table

pytestmark = pytest.mark.e2e

SECTIONS = {
    'data': '{source: images, split: {folds: 4}}',
    'gate': '{val_accuracy: 0.4}',
    'training': '{mode: probe, augmentation: none}',
    'serving': '{check: {images: 4, huge_pixels: 250000}, bulk: {data: images}}',
}


def folds(project: Project) -> dict[str, int | None]:
    """The fold of each image of the newest ingestion, by its path."""
    table = image_table.read(str(project.artifact('ImageExampleGen', 'examples')))
    assert table is not None
    return dict(zip(table['path'].to_pylist(), table['fold'].to_pylist(), strict=True))


def succeed(project: Project, *arguments: str) -> str:
    done = project.thawline(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_chain_without_a_test_split(make_project, tmp_path) -> None:
    project = make_project(images=20, **SECTIONS)
    out = succeed(project, 'run')
    assert '60 in 4 folds' in out and 'BLESSED and pushed' in out
    first = folds(project)
    assert sorted(first.values()) == sorted([*range(4)] * 15)
    for node, key in (
        ('StatisticsGen', 'statistics'), ('Transform', 'transformed_examples'),
        ('Embedder', 'embeddings'),
    ):  # fmt: skip
        there = {f.name for f in project.artifact(node, key).glob('Split-*')}
        assert there == {'Split-train', 'Split-val'}
    verdict = json.loads((project.artifact('DataGate', 'verdict') / 'verdict.json').read_text())
    assert verdict['findings'] == []  # neither on test nor on the feature
    table = predictions.read(str(project.artifact('Evaluator', 'evaluation')))
    assert 'test' not in set(table.splits) and 'fold' not in table.columns
    assert len(table.ids) == 60  # every fold is judged
    succeed(project, 'schema', 'infer')

    draw_classes(tmp_path / 'more', 1, seed=7)
    for label in CLASSES:
        (path,) = (tmp_path / 'more' / label).iterdir()
        shutil.copy(path, project.home / 'images' / label / f'more{path.suffix}')
    again = succeed(project, 'run')
    assert 'of 63 images' in succeed(project, 'report', 'last')
    second = folds(project)
    assert all(second[path] == fold for path, fold in first.items()) and len(second) == 63

    for command in (
        ('schema', 'diff'), ('runs',), ('models',), ('promote', 'last', '--yes'),
        ('drift', 'images'),
        ('labels', 'export', '--to', 'csv', '--for', 'val', '--out', 'val.csv'),
    ):  # fmt: skip
        succeed(project, *command)
    succeed(
        project, 'compare', *(re.findall(r'  run (\S+)  in ', text)[0] for text in (out, again))
    )
    assert (project.home / 'val.csv').read_text().count('\n') > 50  # of all folds
