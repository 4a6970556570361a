"""What is verified: every folder of a model, with what is wrong and what helps."""

from __future__ import annotations

import shutil

import pytest

from tests.pipeline.registry.made_models import Models
from thawline.components.shared.errors import NotFound
from thawline.pipeline.registry import verification
from thawline.pipeline.registry.verification import VerifiedFolder

STAGED = 1_795_272_290
FILLER = 'assets.extra/filler.bin'


def test_all_folders_of_a_model(models: Models):
    model = models.add('r1', exported=True, infra=True, staged=STAGED)
    models.promote(model)
    models.add('r2', recorded=False)
    folders = {
        'trained': models.source('r1'),
        'exported': models.output / 'artifacts' / 'r1' / 'exported' / 'Format-Serving',
        'production 1': models.production / '1',
        f'staging {STAGED}': models.staging / str(STAGED),
    }
    expected = [VerifiedFolder(model, form, str(path), 'intact') for form, path in folders.items()]
    assert list(verification.verify(models.registry(), str(model))) == expected
    again = {
        'trained': '--from Trainer',
        'exported': '--from Exporter',
        'production 1': f'thawline promote {model}',
        f'staging {STAGED}': f'thawline promote {model} --to staging',
    }
    for path in folders.values():
        (path / FILLER).write_bytes(b'damaged')
    for one in verification.verify(models.registry(), str(model)):
        assert (one.model, one.folder) == (model, str(folders[one.form]))
        assert (one.state, one.changes) == ('changed', f'changed: {FILLER}')
        assert again[one.form] in one.way_out and one.failed
    for path in folders.values():
        shutil.rmtree(path)
    missing = {one.form: one for one in verification.verify(models.registry(), str(model))}
    assert missing.keys() == folders.keys()
    for form, one in missing.items():
        assert (one.state, one.changes, one.failed) == ('missing', '', True)
        assert again[form] in one.way_out


def test_folders_without_a_record(models: Models):
    model = models.add('r1', recorded=False)
    shutil.copytree(models.template, models.production / '4')
    (one, unknown) = verification.verify(models.registry())
    assert one == VerifiedFolder(model, 'trained', str(models.source('r1')), 'no record')
    place = str(models.production / '4')
    assert unknown == VerifiedFolder(None, 'production 4', place, 'no record')
    assert not one.failed and not unknown.failed
    shutil.rmtree(models.source('r1'))
    (gone, _) = verification.verify(models.registry())
    assert (gone.state, gone.way_out) == ('missing', 'train or promote another model')


def test_versions_of_another_model_below_the_newest(models: Models):
    first, second = models.add('r1'), models.add('r2')
    models.promote(first)
    models.promote(second)
    for version in ('1', '2'):
        (models.production / version / FILLER).write_bytes(b'damaged')
    old, new = verification.verify(models.registry(), 'production')
    assert (old.model, new.model) == (first, second)
    assert 'servers load version 2' in old.way_out
    assert 'thawline promote' in new.way_out and 'servers load' not in new.way_out
    models.promote(second, '--to', 'staging')
    (version,) = models.staging.iterdir()
    (version / FILLER).write_bytes(b'damaged')
    (staged,) = verification.verify(models.registry(), 'staging')
    assert staged.way_out.endswith(f'thawline promote {second} --to staging')
    with pytest.raises(NotFound):
        list(verification.verify(models.registry(), 'nosuch'))
