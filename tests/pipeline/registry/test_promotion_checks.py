"""What speaks against a model, from its record alone."""

from __future__ import annotations

import pytest

from tests.pipeline.registry.made_models import Models
from tests.pipeline.registry.test_promotion import know
from thawline.components.evaluation.gate.class_change import ClassChange
from thawline.components.shared.errors import ConfigError
from thawline.pipeline.registry import promotion_checks


def shorts(models: Models, id_: int) -> list[str]:
    model = models.registry().model(id_)
    return [objection.short for objection in promotion_checks.objections(model)]


def test_objections_to_models(models: Models):
    assert shorts(models, models.add('r1')) == []  # without an export nothing is checked
    assert shorts(models, models.add('r2', exported=True, infra=True)) == []
    assert shorts(models, models.add('r3', blessed=None)) == ['never evaluated']
    assert shorts(models, models.add('r4', blessed=False)) == ['not blessed']


def test_a_check_that_failed_names_its_problems_if_it_noted_any(models: Models):
    failed = models.add('r1', exported=True, infra=False)
    silent = models.add('r2', exported=True)
    models.record(
        'r2', 'ServingCheck', {'model': models.registry().model(silent).exported.id},
        {'infra_blessing': ('InfraBlessing', {'blessed': 0}),
         'serving_record': ('ServingRecord', {})},
    )  # fmt: skip
    registry = models.registry()
    for id_, end in ((failed, ': it hangs'), (silent, '')):
        (objection,) = promotion_checks.objections(registry.model(id_))
        assert objection.short == 'failed the serving check'
        assert objection.sentence == f'model {id_} failed the serving check{end}'


def test_classes_change_between_models_that_have_a_card(models: Models):
    first, second, bare = (models.add(run, recorded=False) for run in ('r1', 'r2', 'r3'))
    removed = [f'c{n}' for n in range(7)]
    know(models, 'r1', 'ant', *removed)
    know(models, 'r2', 'ant', 'wasp')
    registry = models.registry()
    nothing = ClassChange((), ())
    change = promotion_checks.class_change(registry, registry.model(second), 'production')
    assert change == nothing  # nothing is served yet
    models.promote(first)
    registry = models.registry()
    change = promotion_checks.class_change(registry, registry.model(second), 'production')
    assert change == ClassChange(('wasp',), tuple(removed))
    assert promotion_checks.class_change(registry, registry.model(bare), 'production') == nothing
    assert promotion_checks.class_change(registry, registry.model(second), 'staging') == nothing
    with pytest.raises(ConfigError, match="'c4' and 2 more, which the model in production"):
        check(models, second)
    recorded = promotion_checks.check_promotion(
        registry, registry.model(second), 'production', True, 'why'
    )
    assert recorded.endswith("'c4' and 2 more") and recorded.startswith('no longer knows')


def check(models: Models, id_: int, force: bool = False, reason: str = '') -> str:
    registry = models.registry()
    model = registry.model(id_)
    return promotion_checks.check_promotion(registry, model, 'production', force, reason)


def test_force_takes_a_reason(models: Models):
    id_ = models.add('r1', blessed=None)
    for reason in ('', ' '):
        with pytest.raises(ConfigError, match='--reason'):
            check(models, id_, force=True, reason=reason)
    assert check(models, id_, force=True, reason='it is the only one') == 'never evaluated'
    assert check(models, models.add('r2'), force=True, reason='better') == ''
