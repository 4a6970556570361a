"""prune: what goes, what stays, and why."""

from __future__ import annotations

import dataclasses
import shutil

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from tests.pipeline.registry import made_models
from tests.pipeline.registry.made_models import Models
from tests.pipeline.registry.test_promotion import refused
from thawline.pipeline.registry import consistency, ledger, retention


@pytest.fixture
def models(tmp_path, template, loads) -> Models:
    del loads
    return Models(tmp_path, template, 'serving: {keep: 2}\n')


def five(models: Models) -> list[int]:
    """Versions 1 to 5 of two models in turn."""
    ids = [models.add('ra', size=400_000), models.add('rb', size=300_000)]
    for version in range(5):
        models.promote(ids[version % 2])
    return ids


def test_all_but_the_newest_go(models: Models):
    five(models)
    told = models.thawline('prune', '--dry-run')
    assert told.exit_code == 0
    assert '3 of 5 versions' in told.output and '1.1 MB' in told.output
    assert models.versions() == [1, 2, 3, 4, 5]
    refused(models.thawline('prune'), '--yes')
    assert models.thawline('prune', '--yes').exit_code == 0
    assert sorted(path.name for path in models.production.iterdir()) == ['4', '5']
    gone = [one for one in models.store.get_artifacts_by_type(ledger.SERVED)
            if one.state == pb.Artifact.DELETED]  # fmt: skip
    assert sorted(one.properties['version'].int_value for one in gone) == [1, 2, 3]
    registry = models.registry()
    assert consistency.inconsistencies(registry) == []
    (pruned,) = registry.prunes
    assert (pruned.stage, pruned.destination) == ('production', str(models.production))
    assert pruned.versions == pruned.removed == (1, 2, 3)
    assert pruned.state == 'complete' and pruned.when > registry.deployments[-1].when
    assert 'prune of 1, 2, 3' in models.thawline('history').output
    assert '0 of 2 versions' in models.thawline('prune', '--yes').output


def test_what_a_prune_returns_is_what_the_registry_reads(models: Models):
    five(models)
    registry = models.registry()
    pruned = retention.prune(registry, retention.find_candidates(registry, 'production', 2))
    (recorded,) = models.registry().prunes
    assert dataclasses.replace(recorded, when=pruned.when) == pruned
    contexts = models.store.get_contexts_by_execution(pruned.id)
    assert [context.name for context in contexts] == ['x']


def test_the_newest_stays_whatever_is_to_be_kept(models: Models):
    ids = five(models)
    registry = models.registry()
    size = {move.model: move.size for move in registry.deployments}
    for keep, versions in ((0, (1, 2, 3, 4)), (1, (1, 2, 3, 4)), (4, (1,)), (5, ()), (9, ())):
        candidates = retention.find_candidates(registry, 'production', keep)
        assert (candidates.versions, candidates.kept) == (versions, ())
        assert candidates.size == sum(size[ids[(version - 1) % 2]] for version in versions)


def test_what_was_pruned_can_be_served_again(models: Models):
    a, b = five(models)
    models.thawline('prune', '--yes')
    for expected in (b, a, b, a):
        done = models.thawline('rollback', '--yes')
        assert f'model {expected} is in production' in done.output
    assert models.versions() == [4, 5, 6, 7, 8, 9]


def test_the_last_copy_of_a_model_stays(models: Models):
    five(models)
    shutil.rmtree(models.source('ra'))
    told = models.thawline('prune', '--yes').output
    assert 'version 1 is the last copy' in told
    assert models.versions() == [1, 3, 4, 5]


def test_what_the_registry_does_not_know_goes_by_an_own_word_alone(models: Models):
    five(models)
    made_models.copy_of(models.template, models.production / '0', 'of somebody else')
    told = models.thawline('prune', '--yes').output
    assert 'version 0 is not known to the registry' in told
    assert models.versions() == [0, 4, 5]
    assert models.thawline('prune', '--yes', '--unknown').exit_code == 0
    assert models.versions() == [4, 5]


def test_versions_of_others_above_do_not_push_out_what_is_served(models: Models):
    five(models)
    for name in ('7', '8'):
        made_models.copy_of(models.template, models.production / name, name)
    models.thawline('prune', '--yes')
    assert models.versions() == [5, 7, 8]
    output = models.thawline('models').output
    assert 'servers load version 8' in output and 'version 5 in production' in output


def test_staging_is_pruned_too(models: Models):
    for number in range(1, 5):
        models.add(f'r{number}', staged=1000 + number)
    candidates = retention.find_candidates(models.registry(), 'staging', keep=2)
    assert (candidates.stage, candidates.versions, candidates.kept) == ('staging', (1001, 1002), ())
    files = [path for version in ('1001', '1002') for path in (models.staging / version).rglob('*')]
    assert candidates.size == sum(path.stat().st_size for path in files if path.is_file())
    told = models.thawline('prune', '--yes').output
    assert 'staging: delete 2 of 4 versions' in told
    assert sorted(path.name for path in models.staging.iterdir()) == ['1003', '1004']


def test_a_version_that_cannot_be_removed(models: Models):
    five(models)
    (models.production / '2').rename(models.production / 'aside')
    (models.production / '2').symlink_to(models.production / 'aside')
    done = models.thawline('prune', '--yes')
    refused(done, 'cannot be removed')
    assert {1, 3} & set(models.versions()) == {3}
    assert models.registry().unfinished == ()
