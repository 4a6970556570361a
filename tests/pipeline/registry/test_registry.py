"""Who owns the versions of a stage, and which folder is a version of one."""

from __future__ import annotations

import pathlib

import pytest

from tests.pipeline.registry.made_models import Models
from thawline.pipeline.registry.registry import Registry

STAGED = 1_795_272_290


@pytest.fixture
def registry(models: Models) -> Registry:
    """One model in production after another that does not load, and one in staging."""
    first = models.add('r1', staged=STAGED)
    broken = models.add('r2', recorded=False)
    (models.source('r2') / 'saved_model.pb').write_bytes(b'no protocol buffer at all')
    assert models.thawline('promote', str(broken), '--yes').exit_code == 2
    models.promote(first)
    return models.registry()


def test_owners_of_versions(registry: Registry):
    first, broken = (model.id for model in registry.models)
    assert [(move.model, move.version) for move in registry.deployments] == [
        (broken, 1), (first, 2),
    ]  # fmt: skip
    assert registry.owners('production') == {2: first}
    assert registry.owners('staging') == {STAGED: first}
    assert registry.current('production') == registry.stack('production')[-1]
    assert registry.current('production') is registry.deployments[1]
    assert registry.current('staging') is None and registry.stack('staging') == []
    assert registry.model(0) is None and registry.unfinished == ()
    assert (registry.pipeline, registry.prunes) == ('x', ())


def test_folders_that_are_versions(models: Models, registry: Registry, tmp_path: pathlib.Path):
    assert registry.stage_version(models.production / '2') == ('production', 2)
    assert registry.stage_version(models.staging / str(STAGED)) == ('staging', STAGED)
    for folder in (models.production, models.production / 'aside', tmp_path / '2'):
        assert registry.stage_version(folder) is None
