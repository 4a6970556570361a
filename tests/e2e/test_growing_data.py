"""Images are added, taken away and added again: they keep their splits, and the cache serves."""

from __future__ import annotations

import collections
import json
import re
import shutil

import pytest

from tests.e2e.conftest import CLASSES, Project, draw_classes
from thawline.components.shared import image_table

pytestmark = pytest.mark.e2e

NODE = 'ImageExampleGen'


def ingest(project: Project) -> str:
    """Runs the first node; how it came by its result."""
    run = project.thawline('run', '--to', NODE)
    assert run.returncode == 0, run.stdout + run.stderr
    return re.search(rf'^✓ {NODE}\s+(\S+)', run.stdout, re.MULTILINE)[1]


def splits(project: Project) -> dict[str, str]:
    """The split of each image of the newest ingestion, by its path."""
    table = image_table.read(str(project.artifact(NODE, 'examples')))
    return dict(zip(table['path'].to_pylist(), table['split'].to_pylist(), strict=True))


def per_class(of_images: dict[str, str]) -> dict[str, list[int]]:
    counts = collections.Counter((path.partition('/')[0], s) for path, s in of_images.items())
    return {label: [counts[label, s] for s in ('train', 'val', 'test')] for label in CLASSES}


def notes(project: Project) -> str:
    summary = project.artifact(NODE, 'quarantine') / 'summary.json'
    return ' '.join(json.loads(summary.read_text('utf-8'))['notes'])


def test_images_keep_their_splits_in_a_project_that_grows(make_project, tmp_path) -> None:
    project = make_project(images=20)
    assert ingest(project) != 'cached'
    first = splits(project)
    assert per_class(first) == {label: [14, 3, 3] for label in CLASSES}

    draw_classes(tmp_path / 'more', 20, seed=7)
    for path in (tmp_path / 'more').rglob('*.*'):
        label = path.parent.name
        shutil.copy(path, project.home / 'images' / label / f'more_{label}_{path.name}')
    compiled = project.thawline('compile', '--out', 'pipeline.json')
    assert compiled.returncode == 0, compiled.stderr
    node = ['run-node', '--ir', 'pipeline.json', '--run-id', 'r1', '--node', NODE]
    done = project.thawline(*node)  # as schedulers do
    assert done.returncode == 0, done.stdout + done.stderr
    assert f'{len(first)} from the store' in done.stdout
    second = splits(project)
    assert per_class(second) == {label: [28, 6, 6] for label in CLASSES}
    assert all(second[path] == split for path, split in first.items())
    assert 'anew' not in notes(project)

    for path in (project.home / 'images').rglob('more_*'):
        path.rename(project.home / path.name)
    assert ingest(project) == 'cached'
    moved = Project(tmp_path / 'moved')
    shutil.move(project.home, moved.home)
    for path in moved.home.glob('more_*'):
        path.rename(moved.home / 'images' / path.name.split('_')[1] / path.name)
    assert ingest(moved) == 'cached'

    tables = sorted(moved.home.rglob('images.parquet'))
    assert len(tables) == 2
    (moved.home / 'images' / CLASSES[0] / '000.jpg').unlink()
    assert ingest(moved) != 'cached'
    assert all(second[path] == split for path, split in splits(moved).items())
    assert 'anew' not in notes(moved)

    for table in moved.home.rglob('images.parquet'):
        table.unlink()
    (moved.home / 'images' / CLASSES[0] / '003.jpg').unlink()
    assert ingest(moved) != 'cached'
    assert 'the split starts anew' in notes(moved)

    moved.write(data='{source: images, split: {seed: 1}}')
    assert ingest(moved) != 'cached'
    assert 'anew' not in notes(moved)
    other = splits(moved)
    assert sum(other[path] != second[path] for path in other) > 20
