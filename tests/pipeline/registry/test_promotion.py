"""promote and rollback: what is served, what is refused, what is written down."""

from __future__ import annotations

import json
import shutil

import pytest
from click.testing import Result

from tests.pipeline.registry import made_models
from tests.pipeline.registry.made_models import RIGHT, WORSE, Models
from thawline.components.saved_model import card
from thawline.components.saved_model.decision_rule import Rule
from thawline.components.shared import model_fingerprint
from thawline.components.shared.errors import ConfigError
from thawline.components.shared.model_fingerprint import LocalFiles
from thawline.pipeline.registry import ledger, load_test, promotion
from thawline.pipeline.registry.ledger import PROMOTE
from thawline.pipeline.registry.promotion import DeploymentPlan

FORCE = ('--force', '--reason', 'the old one is worse')


def refused(done: Result, *parts: str) -> None:
    assert done.exit_code == 2, done.output
    assert done.stderr.startswith('error: ')
    for part in parts:
        assert part in done.stderr


def quiet(what: str, done: int, total: int) -> None:
    del what, done, total


def test_what_is_promoted_is_served_as_it_is_and_known_everywhere(models: Models):
    model = models.add('r1')
    done = models.promote(model, '--reason', 'the first [bold]one')
    assert 'is in production as version 1' in done.output
    assert made_models.digests(models.production / '1') == made_models.digests(models.source('r1'))
    assert [path.name for path in models.production.iterdir()] == ['1']
    for command in (('history',), ('explain', 'production')):
        said = models.thawline(*command)
        assert said.exit_code == 0, said.output
        assert 'the first [bold]one' in said.output
        assert '@' in said.output
    assert 'production 1' in models.thawline('models').output
    registry = models.registry()
    (move,) = registry.deployments
    assert ledger.action(move) == 'promote' and ledger.noun(move) == 'promotion'
    artifacts = ledger.live_versions(models.store, str(models.production))
    assert [one.uri for one in artifacts] == [str(models.production / '1')]
    assert artifacts[0].properties['digest'].string_value == move.digest
    assert move.digest == model_fingerprint.fingerprint(LocalFiles(models.production / '1')).digest


def test_the_exported_form_is_what_is_promoted(models: Models):
    model = models.add('r1', exported=True, infra=True)
    models.promote(model)
    served = made_models.digests(models.production / '1')
    assert served != made_models.digests(models.source('r1'))
    form = models.output / 'artifacts' / 'r1' / 'exported' / 'Format-Serving'
    assert served == made_models.digests(form)
    assert 'litert' in models.thawline('models').output
    shutil.rmtree(form)
    other = models.add('r2')
    models.promote(other)
    refused(models.thawline('promote', str(model), '--yes'), 'are gone', str(form.parent))


@pytest.mark.parametrize(
    ('made', 'part', 'short'),
    [
        ({'blessed': False}, 'was not blessed by the Evaluator', 'not blessed'),
        ({'blessed': None}, 'was never evaluated', 'never evaluated'),
        (
            {'exported': True, 'infra': False},
            'failed the serving check: it hangs',
            'failed the serving check',
        ),
        ({'exported': True}, 'has had no serving check', 'no serving check'),
        (
            {'blessed': False, 'exported': True, 'infra': False},
            'has had no serving check',
            'not blessed, no serving check',
        ),
    ],
)
def test_what_speaks_against_a_model_is_overridden_for_all_to_see(models, made, part, short):
    model = models.add('r1', **made)
    refused(models.thawline('promote', str(model), '--yes'), part, '--force')
    refused(models.thawline('promote', str(model), '--yes', '--force'), '--reason')
    assert not models.registry().deployments
    models.promote(model, *FORCE)
    for command in (('history',), ('explain', str(model))):
        said = models.thawline(*command).output
        assert f'forced: {short}' in said
        assert 'the old one is worse' in said
    assert 'forced' in models.thawline('models').output


def test_listing_says_that_the_check_refused_a_blessed_model(models: Models):
    models.add('r1', exported=True, infra=False)
    listed = models.thawline('models').output
    assert all(word in listed for word in ('failed', 'serving', 'check'))


def test_force_without_need_is_not_noted_as_forced(models: Models):
    models.promote(models.add('r1'), *FORCE)
    assert models.registry().deployments[0].forced == ''


def test_files_that_are_gone(models: Models):
    model = models.add('r1')
    shutil.rmtree(models.source('r1'))
    refused(models.thawline('promote', str(model), '--yes', *FORCE), 'are gone', 'thawline run')


def test_already_in_production_unless_somebody_removed_it(models: Models):
    model = models.add('r1')
    models.promote(model)
    refused(models.thawline('promote', str(model), '--yes'), 'already in production, as version 1')
    shutil.rmtree(models.production / '1')
    assert 'version 1 of production' in models.thawline('models').output
    models.promote(model)
    assert models.versions() == [2]


def test_without_a_terminal_it_asks_for_yes_after_the_comparison(models: Models):
    models.promote(models.add('r1', rows=WORSE))
    better = models.add('r2', rows=RIGHT)
    done = models.thawline('promote', str(better))
    refused(done, '--yes')
    assert 'B is better than A' in done.stdout
    assert '40 images that neither has seen, only B answers 10 correctly' in done.stdout
    assert models.versions() == [1]


def test_models_that_cannot_be_compared_say_why(models: Models):
    models.promote(models.add('r1', blessed=None), *FORCE)
    done = models.promote(models.add('r2'))
    assert 'cannot be compared' in done.output
    assert 'was never evaluated' in done.output


def test_a_worse_model_is_called_worse(models: Models):
    models.promote(models.add('r1', rows=RIGHT))
    assert 'WORSE' in models.promote(models.add('r2', rows=WORSE)).output


def know(models: Models, run: str, *classes: str) -> None:
    """Writes the card of a model that knows these classes."""
    card.write(card.Card(classes, 224, 'stretch', Rule()), models.source(run))
    text = json.dumps(made_models.digests(models.source(run)))
    (models.source(run) / made_models.DIGESTS).write_text(text)


def test_a_class_that_the_new_model_no_longer_knows_needs_force(models: Models):
    first, second, third = (models.add(run, recorded=False) for run in ('r1', 'r2', 'r3'))
    know(models, 'r1', 'ant', 'bee')
    know(models, 'r2', 'ant', 'bee', 'wasp')
    know(models, 'r3', 'ant', 'wasp')
    models.promote(first)
    assert "adds 'wasp'" in models.promote(second).output
    refused(models.thawline('promote', str(third), '--yes'), "no longer knows 'bee'", '--force')
    assert models.versions() == [1, 2]
    assert "no longer knows 'bee'" in models.promote(third, *FORCE).output
    assert "no longer knows 'bee'" in models.registry().deployments[-1].forced


def test_a_model_that_does_not_load_leaves_nothing(models: Models):
    model = models.add('r1', recorded=False)
    (models.source('r1') / 'saved_model.pb').write_bytes(b'no protocol buffer at all')
    refused(models.thawline('promote', str(model), '--yes'), 'does not load')
    assert list(models.production.iterdir()) == []
    (move,) = models.registry().deployments
    assert move.state == 'canceled'
    assert 'canceled: ' in models.thawline('history').output
    models.promote(models.add('r2'))
    assert models.versions() == [2]  # the number of a version is given once


def test_a_model_without_signatures(models: Models):
    model = models.add('r1', recorded=False)
    shutil.rmtree(models.source('r1'))
    shutil.copytree(models.template.with_name('mute'), models.source('r1'))
    refused(models.thawline('promote', str(model), '--yes'), 'has no signature')
    assert list(models.production.iterdir()) == []


def test_a_model_that_ends_the_process_which_loads_it(tmp_path):
    with load_test.LoadTest() as loader:
        loader._process.kill()
        loader._process.wait()
        with pytest.raises(ConfigError, match=r'ended the process .*exit code -9.*no output'):
            loader.load(tmp_path)


class Unsteady(LocalFiles):
    """Files of which one is another each time that it is read."""

    def open(self, path: str):
        if path.endswith('thawline.json'):
            content = (self.path / path).read_bytes()
            (self.path / path).write_bytes(content + b' ')
        return super().open(path)


def test_files_that_change_while_they_are_copied(models: Models):
    model = models.add('r1')
    source = Unsteady(models.source('r1'))
    plan = DeploymentPlan(PROMOTE, 'production', model, source, None)
    with pytest.raises(ConfigError, match='changed while they were copied'):
        promotion.deploy(models.registry(), plan, quiet)
    assert list(models.production.iterdir()) == []


def test_progress_ends_at_the_size_of_the_model(models: Models):
    model = models.add('r1')
    plan = DeploymentPlan(PROMOTE, 'production', model, LocalFiles(models.source('r1')), None)
    steps: dict[str, list[tuple[int, int]]] = {}
    deployment = promotion.deploy(
        models.registry(),
        plan,
        lambda what, done, total: steps.setdefault(what, []).append((done, total)),
    )
    for what in ('copying', 'verifying'):
        assert steps[what] == sorted(steps[what])
        assert steps[what][-1] == (deployment.size, deployment.size)
    (loading,) = steps.keys() - {'copying', 'verifying'}
    assert steps[loading] == [(0, 0)]


def test_what_was_loaded_before_is_not_loaded_again(
    models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run in ('r1', 'r2'):
        models.promote(models.add(run))
    with monkeypatch.context() as patch:
        patch.setattr(load_test, 'LoadTest', lambda: pytest.fail('it is loaded again'))
        assert models.thawline('rollback', '--yes').exit_code == 0
    assert models.versions() == [1, 2, 3]


def test_a_plan_that_others_made_void(models: Models):
    first, second = models.add('r1'), models.add('r2')
    plan = DeploymentPlan(PROMOTE, 'production', second, LocalFiles(models.source('r2')), None)
    models.promote(first)
    with pytest.raises(ConfigError, match='production has changed'):
        promotion.deploy(models.registry(), plan, quiet)
    assert models.versions() == [1]


def test_a_destination_that_cannot_be_written(tmp_path, template, loads):
    del loads
    models = Models(tmp_path, template, 'serving: {production: file}\n')
    (tmp_path / 'file').write_text('')
    done = models.thawline('promote', str(models.add('r1')), '--yes')
    refused(done, str(tmp_path / 'file'))
    assert [move.state for move in models.registry().deployments] == ['canceled']


def test_versions_rise_above_all_that_was_ever_there(models: Models):
    first, second = models.add('r1'), models.add('r2')
    models.promote(first)
    shutil.copytree(models.source('r2'), models.production / '41')
    assert 'version 41 in' in models.thawline('models').output
    models.promote(second)
    assert models.versions() == [1, 41, 42]
    shutil.rmtree(models.production / '42')
    shutil.rmtree(models.production / '41')
    models.promote(first)
    assert models.versions() == [1, 43]


def test_promotion_to_staging_is_numbered_as_pusher_does(models: Models):
    first = models.add('r1', staged=1_795_272_290)
    second = models.add('r2', staged=9_795_272_290)
    models.promote(first, '--to', 'staging')
    assert (models.staging / '9795272291').is_dir()
    assert 'staging 9795272291' in models.thawline('models').output
    refused(models.thawline('promote', str(first), '--to', 'staging', '--yes'), 'already in')
    models.promote(second, '--to', 'staging')
    assert not models.production.exists()
    models.promote(second)
    assert models.versions() == [1]  # whatever numbers staging has


def test_promotion_to_staging_of_what_a_run_pushed_is_already_there(models: Models):
    model = models.add('r1', exported=True, infra=True, staged=9_795_272_290)
    done = models.thawline('promote', str(model), '--to', 'staging', '--yes')
    refused(done, 'already in staging, as version 9795272290')
    assert [path.name for path in models.staging.iterdir()] == ['9795272290']
    (models.staging / '9795272290' / 'assets.extra' / 'filler.bin').write_bytes(b'damaged')
    models.promote(model, '--to', 'staging')
    assert (models.staging / '9795272291').is_dir()


def back(models: Models) -> Result:
    return models.thawline('rollback', '--yes', '--reason', 'it fails')


def test_each_rollback_goes_one_step_further_back(models: Models):
    a, b, c = (models.add(name) for name in ('ra', 'rb', 'rc'))
    refused(back(models), 'nothing was promoted')
    for model in (a, b, c):
        models.promote(model)
    for expected, run in ((b, 'rb'), (a, 'ra')):
        done = back(models)
        assert done.exit_code == 0, done.output
        assert f'model {expected} is in production' in done.output
        newest = models.production / str(models.versions()[-1])
        assert made_models.digests(newest) == made_models.digests(models.source(run))
    refused(back(models), f'model {a} is the first')
    assert models.versions() == [1, 2, 3, 4, 5]
    models.promote(c)
    back(models)
    current = models.registry().current('production')
    assert current is not None and current.model == a
    assert (current.replaced_model, current.restores) == (c, models.registry().deployments[0].id)


def test_rollback_takes_whole_files_from_wherever_they_are(models: Models):
    a, b = models.add('ra'), models.add('rb')
    models.promote(a)
    models.promote(b)
    kept = made_models.digests(models.source('ra'))
    shutil.rmtree(models.output / 'artifacts' / 'ra' / 'model')
    assert back(models).exit_code == 0
    assert made_models.digests(models.production / '3') == kept
    models.promote(b)
    for version in ('1', '3'):
        (models.production / version / 'assets.extra' / 'filler.bin').write_bytes(b'damaged')
    refused(
        back(models),
        f'the files of model {a}, version 1 of production, have changed',
        f'{models.production}/3 (changed: assets.extra/filler.bin)',
    )
    for version in ('1', '3'):
        shutil.rmtree(models.production / version)
    refused(back(models), f'the files of model {a}, version 1, no longer exist')
    assert models.registry().current('production').model == b
