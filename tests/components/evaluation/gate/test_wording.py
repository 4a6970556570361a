"""What the gate says of each rule, whether it holds, fails or does not apply."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import golden
from tests.components.evaluation.gate.test_verdict import GOOD, SLICES, counts, gate
from thawline.components.evaluation.gate.class_change import ClassChange
from thawline.components.evaluation.gate.counts import (
    ChangedFiles,
    Counts,
    HitCount,
    NoRecord,
    PairedCount,
)
from thawline.components.evaluation.gate.params import Gate
from thawline.components.evaluation.gate.verdict import judge

NOTHING = Counts(HitCount(0, 0), HitCount(0, 0), {})


def val_cases() -> Iterator[tuple[str, Counts, Gate]]:
    yield 'good model', GOOD, gate()
    yield 'exactly at the threshold', counts(val=HitCount(160, 200)), gate(strictness='point')
    yield 'too few correct', counts(val=HitCount(170, 200)), gate()
    yield 'too few correct, measured', counts(val=HitCount(150, 200)), gate(strictness='point')
    yield 'accuracy below the threshold', counts(val=HitCount(150, 200)), gate()
    yield 'too few images', counts(val=HitCount(9, 10)), gate()
    yield 'too few images, all correct', counts(val=HitCount(10, 10)), gate()
    yield 'a threshold of 1', counts(val=HitCount(200, 200)), gate(val_accuracy=1)
    yield 'approximate interval', counts(val=HitCount(49, 54)), gate()
    constant = {'cat': HitCount(180, 180), 'dog': HitCount(0, 20)}
    yield 'one class correct', counts(val=HitCount(180, 200), classes=constant), gate()
    common = {'cat': HitCount(178, 180), 'dog': HitCount(2, 20)}
    yield 'one class is enough', counts(val=HitCount(180, 200), classes=common), gate()
    limits = {'max_calibration_error': 0.05, 'max_latency_ms': 20, 'max_size_mb': 8}
    yield 'no images', NOTHING, gate(worst_class_recall=0.5, **limits)
    within = counts(calibration_error=0.03, latency_ms=20.0, size_mb=8.0)
    yield 'within the limits', within, gate(**limits)
    above = counts(calibration_error=0.06, latency_ms=21.0, size_mb=8.01, not_finite=1)
    yield 'above the limits', above, gate(**limits)


def part_cases() -> Iterator[tuple[str, Counts, Gate]]:
    yield 'recall meets the floor', GOOD, gate(worst_class_recall=0.85)
    few = {'cat': HitCount(4, 5), 'dog': HitCount(80, 100)}
    yield 'recall below the floor', counts(classes=few), gate(worst_class_recall=0.9)
    missing = {'cat': HitCount(0, 0), 'dog': HitCount(80, 100)}
    small = {'cat': HitCount(90, 100), 'dog': HitCount(0, 2), 'owl': HitCount(0, 12)}
    yield 'a class that is never recognised, and one with two images', counts(classes=small), gate()
    yield 'only small classes', counts(classes={'cat': HitCount(2, 2)}), gate()
    yield 'class without images', counts(classes=missing), gate(worst_class_recall=0.9)
    site = {'column': 'meta_site', 'accuracy': 0.7}
    floors = [{**site, 'value': 'A'}, {**site, 'value': 'C'}, site, {**site, 'column': 'meta_x'}]
    yield 'slices', counts(slices=SLICES), gate(slices=floors)


def grouped_cases() -> Iterator[tuple[str, Counts, Gate]]:
    groups = HitCount(246, 300, ((0, 6, 6), (3, 6, 6), (6, 6, 38)))
    yield 'groups', counts(val=groups), gate(val_accuracy=0.77)
    yield 'few groups', counts(val=HitCount(500, 500, ((50, 50, 10),))), gate()
    pairs = PairedCount(3, 14, 198, clusters=((-6, 6, 2), (-1, 6, 2), (1, 6, 3), (0, 6, 26)))
    yield 'groups against the baseline', counts(baseline=pairs), gate()
    yield 'a fourth look', counts(looks=4), gate()
    yield 'a fourth look that is paid for', counts(looks=4), gate(looks='strict')
    in_folds = HitCount(9, 10, kind='')
    yield 'too few images in folds', counts(val=in_folds, classes={'cat': in_folds}), gate()
    yield 'a fourth look in folds', counts(val=HitCount(190, 200, kind=''), looks=4), gate()
    units = HitCount(41, 50, unit='group')
    yield 'a group is the unit', counts(val=units, classes={'cat': units}), gate()
    few = PairedCount(3, 14, 198, clusters=((-11, 99, 1), (0, 99, 1)))
    yield 'few groups against the baseline', counts(baseline=few), gate()


def comparison_cases() -> Iterator[tuple[str, Counts, Gate]]:
    change = ClassChange(('x',), ('y', 'z'))
    yield 'other classes', counts(baseline=PairedCount(3, 14, 200, change)), gate()
    yield 'too few of the shared classes', counts(baseline=PairedCount(0, 0, 7, change)), gate()
    yield 'worse than the baseline', counts(baseline=PairedCount(3, 14, 200)), gate()
    yield 'better than the baseline', counts(baseline=PairedCount(14, 3, 200)), gate()
    yield 'as good as the baseline', counts(baseline=PairedCount(3, 3, 200)), gate()
    contradicts = counts(test=HitCount(150, 200), baseline=PairedCount(1, 20, 200))
    yield 'test contradicts val', contradicts, gate()
    yield 'test contradicts val, which refuses', contradicts, gate(test_contradiction='refuse')
    yield 'strictness: point', contradicts, gate(strictness='point')
    yield 'no test images', counts(test=HitCount(0, 0), baseline=PairedCount(0, 0, 0)), gate()
    yield 'few images that neither has seen', counts(baseline=PairedCount(0, 7, 7)), gate()
    yield 'one image that neither has seen', counts(baseline=PairedCount(0, 1, 1)), gate()
    yield 'the baseline has seen all', counts(baseline=PairedCount(0, 0, 0)), gate()
    worse = counts(baseline=PairedCount(3, 14, 200))
    yield 'a loss that does not refuse', worse, gate(paired_test=None, max_drop=None)
    yield 'no difference at all', counts(baseline=PairedCount(0, 0, 200)), gate()
    production = gate(baseline='production')
    yield 'no model in production', counts(), production
    yield 'worse than the model in production', worse, production
    yield 'no record of the images', counts(baseline=NoRecord()), gate()
    changed = ChangedFiles('changed: saved_model.pb')
    yield 'a baseline whose files have changed', counts(baseline=changed), gate()
    yield 'the same in production', counts(baseline=changed), production


def cases() -> Iterator[tuple[str, Counts, Gate]]:
    yield from (*val_cases(), *part_cases(), *comparison_cases(), *grouped_cases())


@pytest.mark.golden
def test_wording() -> None:
    lines: list[str] = []
    for title, candidate, settings in cases():
        decision = judge(candidate, settings, smallest_slice=10)
        lines += [f'# {title}', decision.headline]
        for rule in decision.rules:
            if f'  {rule.sentence}' in lines:
                continue
            outcome = {True: 'holds', False: 'fails', None: 'does not apply'}[rule.holds]
            lines += [f'- {rule.title} ({rule.name}) {outcome}', f'  {rule.sentence}']
            lines += [f'  {rule.change}'] if rule.change else []
            lines += [f'  caution: {rule.caution}'] if rule.caution else []
        lines.append('')
    golden.check('gate_verdicts.txt', '\n'.join(lines))


def test_where_all_images_judge_none_are_called_val_images() -> None:
    def in_folds(hits: int, n: int) -> HitCount:
        return HitCount(hits, n, kind='')

    classes = {'cat': in_folds(90, 100), 'dog': in_folds(0, 2), 'owl': in_folds(0, 12)}
    site = {'column': 'meta_site', 'accuracy': 0.7}
    none = {**classes, 'emu': in_folds(0, 0)}
    for of in (
        counts(val=in_folds(9, 10), classes=classes, looks=3, corrected={'val': 2}),
        counts(val=in_folds(150, 200), classes=none, looks=3),
        counts(val=in_folds(0, 0), classes={}),
        counts(val=HitCount(9, 12, ((3, 4, 3),), kind=''), classes=classes),
        counts(val=HitCount(9, 12, unit='group', kind=''), classes=classes),
    ):
        for rules in (
            gate(worst_class_recall=0.95, slices=[site]),
            gate(worst_class_recall=0.95, looks='strict'),
        ):
            said = repr(judge(of, rules))
            assert 'val images' not in said and 'val groups' not in said
            assert '  ' not in said
