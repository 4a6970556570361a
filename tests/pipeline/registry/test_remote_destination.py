"""Production in a bucket: the file that completes a version is written last and removed first."""

from __future__ import annotations

import pathlib
import shutil

import pytest

from tests.pipeline.registry import writable_files
from tests.pipeline.registry.conftest import WarmLoader
from tests.pipeline.registry.made_models import Models
from tests.pipeline.registry.test_killed import intent
from tests.pipeline.registry.test_promotion import refused
from tests.pipeline.registry.writable_files import FILES, REMOVED, WRITTEN
from thawline.components.shared import model_fingerprint
from thawline.components.shared.model_fingerprint import LocalFiles
from thawline.pipeline.registry import consistency, destinations, ledger, load_test

URL = f'{writable_files.SCHEME}://bucket/models/x'


@pytest.fixture
def models(tmp_path, template, loads) -> Models:
    del loads
    for held in (FILES, WRITTEN, REMOVED):
        held.clear()
    return Models(tmp_path, template, f'serving: {{production: {URL}/, keep: 2}}\n')


def test_promote_roll_back_and_prune(models: Models):
    a, b = models.add('ra'), models.add('rb')
    models.promote(a)
    assert WRITTEN[-1] == f'{URL}/1/saved_model.pb'
    assert all(path.startswith(f'{URL}/1/') for path in WRITTEN)
    expected = model_fingerprint.fingerprint(LocalFiles(models.source('ra')))
    place = destinations.destination_at(URL)
    assert model_fingerprint.fingerprint(place.source(1)) == expected
    models.promote(b)
    assert models.thawline('rollback', '--yes').exit_code == 0
    assert place.versions() == [1, 2, 3]
    assert model_fingerprint.fingerprint(place.source(3)) == expected
    assert 'production 3' in models.thawline('models').output
    assert models.thawline('prune', '--yes').exit_code == 0
    assert place.versions() == [2, 3]
    assert REMOVED[0] == f'{URL}/1/saved_model.pb'
    assert not any(path.startswith(f'{URL}/1/') for path in FILES)
    assert consistency.inconsistencies(models.registry()) == []


def test_a_rollback_reads_the_bucket_where_the_artifact_is_gone(models: Models):
    a, b = models.add('ra'), models.add('rb')
    models.promote(a)
    models.promote(b)
    shutil.rmtree(models.source('ra'))
    assert models.thawline('rollback', '--yes').exit_code == 0
    place = destinations.destination_at(URL)
    assert model_fingerprint.fingerprint(place.source(3)) == model_fingerprint.fingerprint(
        place.source(1)
    )


def test_another_tensorflow_loads_a_copy_of_what_the_bucket_has(
    models: Models, warm_loader: WarmLoader, monkeypatch: pytest.MonkeyPatch
):
    models.promote(models.add('ra'))
    models.promote(models.add('rb'))
    shutil.rmtree(models.source('ra'))
    loaded, load = [], warm_loader.load

    def note(folder: pathlib.Path) -> list[str]:
        loaded.append(model_fingerprint.fingerprint(LocalFiles(folder)).digest)
        return load(folder)

    monkeypatch.setattr(warm_loader, 'load', note)
    monkeypatch.setattr(load_test, 'tensorflow_version', lambda: 'TensorFlow of tomorrow')
    assert models.thawline('rollback', '--yes').exit_code == 0
    move = models.registry().deployments[-1]
    assert (move.version, move.loaded) == (3, 'TensorFlow of tomorrow')
    assert loaded == [move.digest]


def test_an_upload_that_stopped_anywhere_is_no_version_and_goes(models: Models):
    model = models.add('r1')
    count = len(LocalFiles(models.source('r1')).files())
    for objects in range(count):
        move = intent(models, model, 1, URL)
        source = LocalFiles(models.source('r1'))
        for name in [one for one in source.files() if one != model_fingerprint.MARKER][:objects]:
            FILES[f'{URL}/1/{name}'] = (source.path / name).read_bytes()
        assert destinations.destination_at(URL).versions() == []
        assert 'it was undone' in models.thawline('models').output
        assert not FILES
        ended = {one.id: one.state for one in models.registry().deployments}
        assert ended[move.id] == 'canceled'
    move = intent(models, model, 1, URL)
    place, source = destinations.destination_at(URL), LocalFiles(models.source('r1'))
    place.prepare(source, 1, '', model_fingerprint.ignore_progress)
    place.finish(source, 1, '')
    assert 'it is complete' in models.thawline('models').output
    assert models.registry().current('production').id == move.id


def test_a_removal_that_stopped_is_finished(models: Models):
    models.promote(models.add('ra'))
    models.promote(models.add('rb'))
    ledger.begin(models.store, ledger.Prune('production', URL, 'a@b', (1,), (), 'abc'))
    del FILES[f'{URL}/1/saved_model.pb']
    assert 'recovered: the prune' in models.thawline('history').output
    assert not any(path.startswith(f'{URL}/1/') for path in FILES)
    assert consistency.inconsistencies(models.registry()) == []


def test_a_scheme_that_nothing_reaches(models: Models):
    (models.home / 'thawline.yaml').write_text(
        'name: x\ndata: {source: images}\nserving: {production: nowhere://x}\n', 'utf-8'
    )
    done = models.thawline('promote', str(models.add('r1')), '--yes')
    refused(done, 'serving.production', 'nowhere://x')
    listed = models.thawline('models')
    assert listed.exit_code == 0
    assert 'note: serving.production: cannot reach nowhere://x' in listed.output
