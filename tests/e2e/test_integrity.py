"""A model in the cache whose files somebody changed is not pushed, and can be made again."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import TINY_BASE, Project

pytestmark = pytest.mark.e2e


@pytest.fixture(scope='module')
def project(make_project) -> Project:
    return make_project(
        model=TINY_BASE, training='{mode: probe, augmentation: none}', embedding='{views: 0}'
    )


def test_changed_export_is_noticed_and_made_again(project: Project) -> None:
    first = project.thawline('run')
    assert first.returncode == 0, first.stdout + first.stderr
    assert project.thawline('verify').returncode == 0
    exported = project.artifact('Exporter', 'exported_model') / 'Format-Serving'
    card = exported / 'assets.extra' / 'thawline.json'
    text = card.read_text('utf-8').replace('coral', 'moral')
    card.unlink()
    card.write_text(text, 'utf-8')

    done = project.thawline('run')
    assert done.returncode == 2, done.stdout + done.stderr
    output = done.stdout + done.stderr
    assert f'{exported} is no longer' in output
    assert 'changed: assets.extra/thawline.json; ' in output
    assert '✓ ServingCheck' in output and '✓ Pusher' not in output
    assert len(project.versions()) == 1
    verified = project.thawline('verify')
    assert verified.returncode == 2 and 'changed: assets.extra/thawline.json' in verified.stdout

    again = project.thawline('run', '--from', 'Exporter', '--no-cache')
    assert again.returncode == 0, again.stdout + again.stderr
    assert 'already in staging' in again.stdout
    assert project.thawline('verify').returncode == 0
