"""What the registry reads of a model: of one that went through all nodes, and of lesser records."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from tests import made_records
from tests.pipeline.registry.made_models import SPLITS, Models
from thawline.pipeline.registry import models as models_lib
from thawline.pipeline.registry.models import Model, PushedVersion

SUMMARY = {'summary': made_records.ingestion(SPLITS, 3).to_json()}


def test_all_of_a_model(models: Models):
    id_ = models.add('r1', exported=True, infra=True)
    model = models.registry().model(id_)
    assert model is not None and model.run == model.trainer.run == 'r1'
    assert model.made == model.trainer.began
    nodes = [one.node for one in (model.trainer, model.evaluator, model.exporter, model.checker)]
    assert nodes == ['Trainer', 'Evaluator', 'Exporter', 'ServingCheck']
    folder = models.output / 'artifacts' / 'r1'
    assert (model.uri, model.exported.uri) == (str(folder / 'model'), str(folder / 'exported'))
    assert model.evaluation.uri == str(folder / 'evaluation')
    assert model.serving_record.uri == str(folder / 'serving_record')
    assert model.exports.properties == {'placed': '["litert"]'} and model.formats == ('litert',)
    assert (model.blessed, model.infra_blessed) == (True, True)
    served = folder / 'exported' / 'Format-Serving'
    assert model.folder == served and model.folders == (served, models.source('r1'))
    assert models_lib.trainer_settings(model) == {
        'model': {'backbone': 'tiny', 'weights': 'random'},
        'training': {'mode': 'probe'},
        'image_size': 32,
        'code_digest': 'c0df',
    }


@pytest.mark.parametrize(
    ('made', 'expected'),
    [
        ({'blessed': None}, (None, None)),
        ({'exported': True, 'infra': False}, (True, False)),
        ({'blessed': False, 'exported': True, 'infra': False}, (False, None)),  # it skips these
    ],
)
def test_blessings(models: Models, made: dict[str, Any], expected: tuple[bool | None, ...]):
    id_ = models.add('r1', **made)
    model = models.registry().model(id_)
    assert (model.blessed, model.infra_blessed) == expected


def trained(
    models: Models, quarantine: dict[str, str] | None = None, noted: dict[str, str] | None = None
) -> Model:
    """A model of a Trainer and an ingestion that noted no more than this."""
    outputs = {'examples': ('Examples', {})}
    if quarantine is not None:
        outputs['quarantine'] = ('Quarantine', quarantine)
    made = models.record('r1', 'ImageExampleGen', outputs=outputs)
    inputs = {'examples': made['examples']}
    output = models.record('r1', 'Trainer', inputs, {'model': ('Model', {})}, noted)['model']
    return models.registry().model(output)


def test_what_was_not_noted_is_empty(models: Models):
    model = trained(models, SUMMARY)
    data = models_lib.training_data(models.registry().lineage, model)
    assert (data.source, data.fingerprint, data.images.written) == ('', '', 202)
    assert models_lib.trainer_settings(model) == {'model': {}, 'training': {}}
    assert models_lib.base_name(model) == '?'
    assert (model.formats, model.folder) == ((), None)
    assert model.folders == (pathlib.Path(model.uri),)


def test_base_without_the_size_of_its_images(models: Models):
    config = {'custom_config': '{"model": "{\\"backbone\\": \\"tiny\\"}"}'}
    assert models_lib.base_name(trained(models, noted=config)) == 'tiny'


@pytest.mark.parametrize('quarantine', [None, {}, {'summary': 'no JSON'}])
def test_training_data_without_a_record(models: Models, quarantine: dict[str, str] | None):
    model = trained(models, quarantine)
    assert models_lib.training_data(models.registry().lineage, model) is None


def test_training_data_without_an_ingestion(models: Models):
    output = models.record('r1', 'Trainer', {}, {'model': ('Model', {})})['model']
    registry = models.registry()
    assert models_lib.training_data(registry.lineage, registry.model(output)) is None


def test_trainings_that_left_no_model(models: Models):
    models.record('r1', 'Trainer', models.images, {'model_run': ('ModelRun', {})})
    assert models.registry().models == ()


def test_the_model_that_an_artifact_is_a_form_of(models: Models):
    id_ = models.add('r1', exported=True, infra=True)
    registry = models.registry()
    model = registry.model(id_)
    made = models.record('r2', 'Exporter', {}, {'exported_model': ('Model', {})})
    other = made['exported_model']  # of a model that was not noted
    graph = models.registry().lineage
    sources = {model.exported.id: id_, model.evaluation.id: model.evaluation.id, other: other}
    assert {one: models_lib.source_model(graph, one) for one in sources} == sources
    assert models_lib.source_model(graph, 9999) == 9999


def test_pushes_by_version(models: Models):
    id_ = models.add('r1', exported=True, infra=True, staged=7)
    exported = models.registry().model(id_).exported.id
    models.push('r2', exported, 8)
    models.record('r3', 'Pusher', {}, {'pushed_model': ('PushedModel', {'pushed_version': '9'})})
    models.record('r4', 'Pusher', {'model': exported}, {'pushed_model': ('PushedModel', {})})
    models.record('r5', 'Pusher', {'model': exported})
    registry = models.registry()
    digest = registry.model(id_).serving_record.properties['model_digest']
    pushes = models_lib.pushes(registry.lineage)
    assert pushes == {7: PushedVersion(id_, digest), 8: PushedVersion(id_, '')}


@pytest.mark.parametrize('text', [None, 5, '[1]', '{', ''])
def test_what_is_no_json_object_is_empty(text: object):
    assert models_lib.json_object(text) == {}
