"""A folder that somebody changed is not served: wherever it is, and whoever is about to."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
from collections.abc import Callable

import pytest
from click.testing import CliRunner

from tests import fork_server
from tests.pipeline.registry import writable_files
from tests.pipeline.registry.made_models import Models
from tests.pipeline.registry.test_promotion import FORCE, refused
from tests.pipeline.registry.writable_files import FILES
from thawline.components.shared.errors import ConfigError
from thawline.pipeline import cli
from thawline.pipeline.config import loading
from thawline.pipeline.registry import integrity

GRAPH = 'saved_model.pb'
FILLER = 'assets.extra/filler.bin'
STAGED = 1_795_272_290


def change_a_byte(folder: pathlib.Path) -> str:
    content = bytearray((folder / FILLER).read_bytes())
    content[500] ^= 1
    (folder / FILLER).write_bytes(content)
    return f'changed: {FILLER}'


def remove(folder: pathlib.Path) -> str:
    (folder / FILLER).unlink()
    return f'missing: {FILLER}'


def add(folder: pathlib.Path) -> str:
    (folder / 'assets.extra' / 'more.txt').write_text('')
    return 'added: assets.extra/more.txt'


Tamper = Callable[[pathlib.Path], str]
tampering = pytest.mark.parametrize('tamper', [change_a_byte, remove, add])


def exported(models: Models, run: str) -> pathlib.Path:
    return models.output / 'artifacts' / run / 'exported' / 'Format-Serving'


def whole(models: Models, run: str = 'r1', **more) -> int:
    """A model that went through all nodes."""
    return models.add(run, exported=True, infra=True, **more)


def check(models: Models, folder: pathlib.Path) -> str:
    return integrity.check_folder(loading.load_project(models.home), folder)


@tampering
def test_promotion_of_a_changed_export(models: Models, tamper: Tamper):
    model = whole(models)
    changes = tamper(exported(models, 'r1'))
    for force in ((), FORCE):
        done = models.thawline('promote', str(model), '--yes', *force)
        refused(done, f'{exported(models, "r1")} is no longer', changes, '--from Exporter')
        assert done.stdout == '', 'nobody reads a comparison that leads nowhere'
    assert not models.production.exists() and not models.registry().deployments


@tampering
def test_promotion_of_a_changed_model_without_an_export(models: Models, tamper: Tamper):
    model = models.add('r1')
    changes = tamper(models.source('r1'))
    refused(models.thawline('promote', str(model), '--yes'), changes, '--from Trainer')


def test_promotion_of_a_model_that_changes_after_the_question(models: Models, monkeypatch):
    model = whole(models)
    from thawline.pipeline.registry import promotion

    deploy = promotion.deploy

    def late(*arguments):
        change_a_byte(exported(models, 'r1'))
        return deploy(*arguments)

    monkeypatch.setattr(promotion, 'deploy', late)
    refused(models.thawline('promote', str(model), '--yes'), f'changed: {FILLER}')
    assert not models.production.exists()


def test_promotion_of_a_model_of_an_early_version_says_that_it_cannot_tell(models: Models):
    model = whole(models, recorded=False)
    change_a_byte(exported(models, 'r1'))
    assert 'no record of its files' in models.promote(model).output
    assert 'no record' not in models.promote(whole(models, 'r2')).output


@tampering
def test_rollback_to_what_has_changed_everywhere(models: Models, tamper: Tamper):
    first = whole(models)
    models.promote(first)
    models.promote(whole(models, 'r2'))
    changes = tamper(exported(models, 'r1'))
    tamper(models.production / '1')
    done = models.thawline('rollback', '--yes')
    refused(done, f'{exported(models, "r1")} ({changes})', f'{models.production}/1 ({changes})')
    assert models.versions() == [1, 2]


@tampering
def test_version_that_is_about_to_be_loaded(models: Models, tamper: Tamper):
    model = whole(models, staged=STAGED)
    models.promote(model)
    places = {
        models.production / '1': f'promote {model}',
        models.staging / str(STAGED): f'promote {model} --to staging',
        exported(models, 'r1'): '--from Exporter',
        models.source('r1'): '--from Trainer',
    }
    for folder, way_out in places.items():
        assert check(models, folder) == ''
        changes = tamper(folder)
        with pytest.raises(ConfigError) as raised:
            check(models, folder)
        for part in (str(folder), changes, way_out):
            assert part in str(raised.value)
        assert ('--to staging' in str(raised.value)) == (folder.parent == models.staging)


@tampering
def test_prediction_with_a_changed_version(models: Models, tamper: Tamper, tmp_path):
    (tmp_path / 'in').mkdir()
    models.promote(whole(models))
    changes = tamper(models.production / '1')
    arguments = ['predict', str(tmp_path / 'in'), str(models.home), '--to', str(tmp_path / 'o.csv')]
    refused(CliRunner().invoke(cli.main, arguments), f'{models.production}/1 is no longer', changes)


def test_version_that_holds_another_model_than_was_promoted(models: Models):
    models.promote(whole(models))
    models.promote(whole(models, 'r2'))
    shutil.rmtree(models.production / '2')
    shutil.copytree(models.production / '1', models.production / '2')
    with pytest.raises(ConfigError, match='version 2 of production.*changed: assets.extra'):
        check(models, models.production / '2')


def test_digest_of_an_early_promotion_is_enough_to_refuse(models: Models):
    """The ledger always had it; the files are named as long as some folder still has them."""
    models.promote(whole(models, recorded=False))
    assert check(models, models.production / '1') == ''
    change_a_byte(models.production / '1')
    with pytest.raises(ConfigError, match=f'changed: {FILLER}'):
        check(models, models.production / '1')
    shutil.rmtree(models.output / 'artifacts' / 'r1')
    with pytest.raises(ConfigError, match='the digest is [0-9a-f]{12}, not [0-9a-f]{12}'):
        check(models, models.production / '1')


def test_what_was_never_recorded_is_said_and_stops_nothing(models: Models, tmp_path):
    whole(models, recorded=False, staged=STAGED)
    unknown = 'no record of the files in'
    assert unknown in check(models, models.staging / str(STAGED))
    shutil.copytree(models.template, models.production / '7')
    assert unknown in check(models, models.production / '7')
    shutil.copytree(models.template, tmp_path / 'elsewhere')
    assert unknown in check(models, tmp_path / 'elsewhere')
    (models.output / 'metadata.sqlite').write_bytes(b'no database')
    assert 'cannot be checked: ' in check(models, models.staging / str(STAGED))
    (models.output / 'metadata.sqlite').unlink()
    assert check(models, models.staging / str(STAGED))


def test_version_that_servers_see_before_its_push_is_recorded(models: Models):
    whole(models)
    shutil.copytree(exported(models, 'r1'), models.staging / str(STAGED))
    assert check(models, models.staging / str(STAGED)) == ''


def states(models: Models, *arguments: str) -> dict[str, str]:
    """What `verify` says, by model and form."""
    done = models.thawline('verify', *arguments, '--format=json')
    folders = json.loads(done.stdout)
    failed = [one for one in folders if one['state'] in ('changed', 'missing')]
    assert done.exit_code == (2 if failed else 0), done.output
    assert all(one['way_out'] for one in failed)
    return {f'{one["model"]} {one["form"]}': one['changes'] or one['state'] for one in folders}


def test_verify_names_what_is_changed_missing_or_without_a_record(models: Models):
    a = whole(models, staged=STAGED)
    b = models.add('r2', recorded=False)
    models.promote(a)
    models.promote(b)
    expected = {
        f'{a} trained': 'intact', f'{a} exported': 'intact', f'{b} trained': 'intact',
        f'{a} production 1': 'intact', f'{b} production 2': 'intact',
        f'{a} staging {STAGED}': 'intact',
    }  # fmt: skip
    assert states(models) == expected
    done = models.thawline('verify')
    assert '6 of 6 folders as recorded' in done.stdout
    change_a_byte(exported(models, 'r1'))
    shutil.rmtree(models.source('r1'))
    shutil.rmtree(models.production / '1')  # nobody loads it, and a rollback copies anew
    shutil.copytree(models.template, models.production / '9')
    now = {
        **expected,
        f'{a} trained': 'missing',
        f'{a} exported': f'changed: {FILLER}',
        'None production 9': 'no record',
    }
    del now[f'{a} production 1']
    assert states(models) == now
    assert states(models, str(b)) == {k: v for k, v in now.items() if k.startswith(f'{b} ')}
    assert states(models, 'production') == {k: v for k, v in now.items() if 'production' in k}
    done = models.thawline('verify')
    assert done.exit_code == 2
    assert '3 of 6 folders as recorded, 2 changed or missing, 1 without a record' in done.stdout
    assert str(exported(models, 'r1')) in done.stdout
    shutil.rmtree(models.production / '9')
    shutil.rmtree(models.production / '2')
    assert states(models, 'production') == {f'{b} production 2': 'missing'}
    models.promote(b)
    assert states(models, 'production') == {f'{b} production 3': 'intact'}


def test_verify_of_a_version_that_was_pruned_misses_nothing(models: Models):
    (models.home / 'thawline.yaml').write_text(
        'name: x\ndata: {source: images}\nserving: {keep: 1}\n', 'utf-8'
    )
    for run in ('r1', 'r2'):
        models.promote(whole(models, run))
    assert models.thawline('prune', '--yes').exit_code == 0
    assert list(states(models, 'production').values()) == ['intact']


def test_verify_of_a_changed_version_below_the_newest_is_no_reason_to_promote(models: Models):
    a, b = whole(models), whole(models, 'r2')
    models.promote(a)
    models.promote(b)
    change_a_byte(models.production / '1')
    done = models.thawline('verify', 'production')
    assert done.exit_code == 2 and 'servers load version 2' in done.stdout


def test_verify_imports_neither_tensorflow_nor_tfx(models: Models):
    whole(models)
    program = (
        'import sys; from thawline.pipeline import cli\n'
        f'try: cli.main(["verify", {str(models.home)!r}])\n'
        'finally: print(sorted({"tensorflow", "tfx", "scipy"} & sys.modules.keys()))'
    )
    done = subprocess.run(
        [*fork_server.fresh_command()[:1], '-c', program],
        capture_output=True, text=True, check=True, env={**os.environ},
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == '[]', done.stdout


def test_bucket_is_verified_too(tmp_path, template, loads):
    del loads
    FILES.clear()
    url = f'{writable_files.SCHEME}://bucket/models/x'
    models = Models(tmp_path, template, f'serving: {{production: {url}}}\n')
    model = whole(models)
    models.promote(model)
    assert states(models, 'production') == {f'{model} production 1': 'intact'}
    FILES[f'{url}/1/{FILLER}'] = b'damaged'
    assert states(models, 'production') == {f'{model} production 1': f'changed: {FILLER}'}
