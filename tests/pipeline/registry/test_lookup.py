"""Which model is meant, and how the metadata are read."""

from __future__ import annotations

import io
import shutil
import time

import pytest
import rich.console
from ml_metadata.proto import metadata_store_pb2 as pb

from tests import made_records
from tests.pipeline.registry.made_models import CACHED, SPLITS, Models
from thawline.components.shared.errors import ConfigError, NotFound
from thawline.components.training.record import FoldRecord, Scores, ValidationRecord
from thawline.pipeline.commands import models as models_command
from thawline.pipeline.metadata import lineage
from thawline.pipeline.registry import lookup, retention
from thawline.pipeline.registry import models as models_lib


@pytest.fixture
def found(models: Models) -> tuple[Models, int, int]:
    first = models.add('20260102-100000.000', exported=True, infra=True, staged=1001)
    second = models.add('20260102-110000.000')
    models.promote(first)
    return models, first, second


def test_every_name_of_a_model(found):
    models, first, second = found
    registry = models.registry()
    exported = registry.model(first).exported.id
    names = {
        first: (
            str(first), str(exported), '20260102-100000.000', '20260102-10', 'production',
            'staging', str(models.source('20260102-100000.000')), str(models.production / '1'),
            str(models.staging / '1001'), registry.model(first).exported.uri,
        ),
        second: (str(second), '20260102-11', 'last'),
    }  # fmt: skip
    for id_, wanted in names.items():
        assert [lookup.find_model(registry, one).id for one in wanted] == [id_] * len(wanted)


def test_a_run_that_took_its_model_from_the_cache(found):
    models, first, _ = found
    models.record(
        '20260103-100000.000', 'Trainer', {'examples': models.images['examples']}, state=CACHED,
        again={'model': first},
    )  # fmt: skip
    registry = models.registry()
    assert lookup.find_model(registry, 'last').id == first
    assert [one.id for one in registry.models].count(first) == 1
    assert (
        'reused from the cache by 1 later run, most recently 20260103-100000.000'
        in models.thawline('explain', 'last').output
    )


def test_trainings_that_failed_or_left_no_model_name_none(found):
    models, _, second = found
    inputs, failed = {'examples': models.images['examples']}, pb.Execution.FAILED
    output = {'model': ('Model', {})}
    models.record('20260102-110000.000', 'Trainer', inputs, output, state=failed)
    models.record('20260103-100000.000', 'Trainer', inputs, output, state=failed)
    models.record('20260103-110000.000', 'Trainer', inputs, {'model_run': ('ModelRun', {})})
    registry = models.registry()
    for name in ('last', '20260102-11'):
        assert lookup.find_model(registry, name).id == second
    with pytest.raises(NotFound, match="no model '20260103'"):
        lookup.find_model(registry, '20260103')


def test_ids_of_other_artifacts_name_no_model(found):
    models, first, _ = found
    registry = models.registry()
    model = registry.model(first)
    for other in (model.evaluation, model.blessing, model.exports):
        with pytest.raises(NotFound, match='production, staging, last'):
            lookup.find_model(registry, str(other.id))


def test_the_newest_of_many_are_named(models: Models):
    ids = [models.add(f'2026010{n}-1', size=10) for n in range(1, 8)]
    registry = models.registry()
    with pytest.raises(NotFound) as error:
        lookup.find_model(registry, 'nosuch')
    assert f'the newest are: {", ".join(map(str, ids[:1:-1]))};' in str(error.value)
    with pytest.raises(ConfigError, match='7 runs begin .*: 20260107-1, .*, 20260103-1; '):
        lookup.find_model(registry, '2026')


def test_what_a_model_was_made_from(found):
    models, first, second = found
    registry = models.registry()
    model = registry.model(first)
    assert models_lib.base_name(model) == 'tiny 32'
    data = models_lib.training_data(registry.lineage, model)
    assert data.source == 'images' and data.fingerprint == 'f1' * 32
    assert data.images.written == 202
    with pytest.raises(NotFound, match=f'the newest are: {second}, {first}$'):
        lookup.find_model(registry, '/')


def test_a_version_that_the_registry_does_not_know(found):
    models, *_ = found
    shutil.copytree(models.staging / '1001', models.staging / '2000')
    with pytest.raises(NotFound, match='version 2000 in .* the newest are: '):
        lookup.find_model(models.registry(), 'staging')


@pytest.mark.parametrize(
    ('wanted', 'part'),
    [
        ('2026', '2 runs begin with'),
        ('1999', "no model '1999'; the newest are: "),
        ('', "no model ''"),
        ('²', "no model '²'"),
        ('/', 'is not a model in the registry'),
    ],
)
def test_no_such_model(found, wanted, part):
    kind = ConfigError if 'begin with' in part else NotFound
    with pytest.raises(kind) as error:
        lookup.find_model(found[0].registry(), wanted)
    assert part in str(error.value)


@pytest.mark.parametrize('width', [80, 116])
def test_the_table_of_models_is_not_cut_off(found, width):
    models, *_ = found
    out = io.StringIO()
    table = models_command.table(models.registry(), 20, wide=width > 80)
    rich.console.Console(file=out, width=width).print(table)
    text = out.getvalue()
    for part in ('20260102-100000.000', '20260102-110000.000', 'production 1', 'SavedModel'):
        assert part in text
    assert text.count('90.0 %') == 2 and '…' not in text


def test_empty_stages_and_registries(models: Models):
    with pytest.raises(NotFound, match='no model yet'):
        lookup.find_model(models.registry(), 'last')
    assert 'no model yet' in models.thawline('models').output
    models.add('r1')
    for stage in ('production', 'staging'):
        with pytest.raises(NotFound, match=f'no model is in {stage}'):
            lookup.find_model(models.registry(), stage)
    assert 'thawline promote MODEL' in models.thawline('history').output


def test_before_anything_ran(tmp_path, models: Models):
    (models.output / 'metadata.sqlite').unlink()
    for command in ('models', 'history', 'prune', 'rollback'):
        done = models.thawline(command)
        assert done.exit_code == 2
        assert 'no run yet' in done.stderr


def test_the_newest_judgement_counts(models: Models):
    model = models.add('r1', blessed=True)
    read = models.registry().model(model)
    assert read.blessed is True
    models.record(
        'r2', 'Evaluator', {'model': model},
        {'evaluation': ('ModelEvaluation', {}), 'blessing': ('ModelBlessing', {'blessed': 0})},
    )  # fmt: skip
    assert models.registry().model(model).blessed is False
    again = {'evaluation': read.evaluation.id, 'blessing': read.blessing.id}
    models.record('r3', 'Evaluator', {'model': model}, state=CACHED, again=again)
    assert models.registry().model(model).blessed is True


def test_the_story_from_the_metadata_alone(models: Models):
    model = models.add('r1', exported=True, infra=True, staged=1001)
    models.promote(model, '--reason', 'better')
    told = models.thawline('explain', str(model)).output
    for part in (
        'source images', 'f1f1f1f1f1f1', '202 images, 3 quarantined', 'train 122: ant 60, bee 62',
        'tiny', 'ba5eba5e', 'BLESSED in run r1', 'val accuracy 90.0 % (85.0 to 94.0 %) on 395',
        'with litert', 'passed in run r1', 'Trainer c0df', 'better',
        'pushed to staging as version 1001', 'promoted to production as version 1',
    ):  # fmt: skip
        assert part in told, part
    shutil.rmtree(models.output / 'artifacts')
    later = models.thawline('explain', str(model))
    assert 'val_accuracy=0.8' in later.output  # with a verdict its rules stand there
    assert later.exit_code == 0, later.output
    assert 'files are gone' in later.output
    assert 'val accuracy 90.0 % (85.0 to 94.0 %) on 395' in later.output


def test_the_story_of_a_model_that_was_judged_in_folds(models: Models):
    """The images are counted together, the newest form of the split's seed is read."""
    models.images = models.record(
        'r0', 'ImageExampleGen',
        noted={'source_spec': '{"source": "images"}', 'split': '{"folds": "auto", "seed": 3}',
               'max_side': 1024},
        outputs={
            'examples': ('Examples', {}),
            'quarantine': ('Quarantine', {
                'summary': made_records.ingestion(SPLITS, folds=5).to_json(),
            }),
        },
    )  # fmt: skip
    model = models.add('r1')
    scores = Scores(0.8, 0.5, 162)
    turns = tuple(FoldRecord(fold, {}, scores, scores, 0.1) for fold in range(5))
    judged = ValidationRecord('folds', scores, turns, refitted=162)
    made_records.training(0.9, validation=judged).write(
        models.output / 'artifacts' / 'r1' / 'model_run'
    )
    told = models.thawline('explain', str(model)).output
    for part in (
        '5 folds 162: ant 100, bee 62', 'test 40: ant 40', 'with seed 3; longest',
        'probe: accuracy 90.0 % on the folds that selected', 'held out in 5 folds: 80.0 % of 162',
        'then fitted to all 162 images',
    ):  # fmt: skip
        assert part in told, part
    assert 'train ' not in told.split('Data checks')[0].split('Images')[1]


def test_a_model_may_have_several_versions_in_staging(models: Models):
    first = models.add('r1', exported=True, infra=True, staged=1001)
    second = models.add('r2', staged=1002)
    exported = models.registry().model(first).exported.id
    shutil.copytree(models.staging / '1001', models.staging / '1003')
    models.push('r3', exported, 1003)
    models.push('r4', exported, 1003, already_there=True)
    registry = models.registry()
    assert registry.owners('staging') == {1001: first, 1002: second, 1003: first}
    names = ('staging', *(str(models.staging / version) for version in ('1001', '1003')))
    assert [lookup.find_model(registry, name).id for name in names] == [first] * 3
    told = models.thawline('explain', str(first)).output
    assert told.count('pushed to staging as version') == 2
    assert 'staging 1003' in models.thawline('models').output
    candidates = retention.find_candidates(registry, 'staging', keep=1)
    assert candidates.versions == (1001, 1002) and not candidates.kept
    shutil.rmtree(models.output / 'artifacts')
    kept = retention.find_candidates(models.registry(), 'staging', keep=1)
    assert kept.versions == () and len(kept.kept) == 2, 'a rollback may need them'


def test_a_run_is_read_in_some_milliseconds(models: Models):
    model = models.add('r1')
    output = models.registry().model(model)
    for number in range(25):
        run = f'c{number}'
        for node in range(12):
            models.record(run, f'Node{node}', again=models.images, state=CACHED)
        models.record(run, 'Trainer', models.images, again={'model': model}, state=CACHED)
    began = time.process_time()
    read = lineage.read(models.store)
    found = models_lib.read_models(read)
    assert time.process_time() - began < 0.5
    assert [one.id for one in found] == [output.id]
    assert len(read.executions) == 329
