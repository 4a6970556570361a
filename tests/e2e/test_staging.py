"""What a run ends with is what a server that watches staging loads."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from tests.e2e.conftest import Project

pytestmark = pytest.mark.e2e

PROBE = {'training': '{mode: probe, augmentation: none}', 'embedding': '{views: 0}'}
SIZES = {side: PROBE | {'preprocessing': f'{{image_size: {side}}}'} for side in (32, 48)}


@pytest.fixture(scope='module')
def project(make_project) -> Project:
    return make_project(**SIZES[32])


def run(project: Project) -> str:
    done = project.thawline('run')
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def served(project: Project) -> tuple[int, int]:
    """The highest version in staging, and the side of the images that its model takes."""
    version = max(project.versions(), key=lambda folder: int(folder.name))
    card = json.loads((version / 'assets.extra' / 'thawline.json').read_text('utf-8'))
    return int(version.name), card['image_size']


def test_model_from_the_cache_is_served_instead_of_the_one_between(project: Project) -> None:
    pushed = []
    for side in (32, 48, 32):
        project.write(**SIZES[side])
        told = run(project)
        version = int(re.findall(r'BLESSED and pushed as version (\d+)', told)[0])
        assert served(project) == (version, side)
        pushed.append(version)
    assert re.search(r'^✓ Trainer\s+cached', told, re.M)
    assert pushed == sorted(set(pushed))
    first, _, last = (project.output / 'serving' / 'staging' / str(number) for number in pushed)
    assert (first / 'saved_model.pb').read_bytes() == (last / 'saved_model.pb').read_bytes()
    told = run(project)
    assert f'already in staging as version {pushed[-1]}' in told
    assert len(project.versions()) == 3
    assert project.thawline('models').stdout.count(f'staging {pushed[-1]}') == 1


def test_emptied_staging_gets_the_model_again(project: Project) -> None:
    before = served(project)
    shutil.rmtree(project.output / 'serving' / 'staging')
    told = run(project)
    assert served(project)[0] > before[0] and served(project)[1] == 32
    assert f'pushed as version {served(project)[0]}' in told
