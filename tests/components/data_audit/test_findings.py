"""What is said of an audit, word for word."""

from __future__ import annotations

import dataclasses

import pytest

from tests import golden
from thawline.components.data_audit import findings
from thawline.components.data_audit.params import AuditPolicy
from thawline.components.data_audit.record import (
    AuditRecord,
    BaseCheck,
    FactAccuracy,
    Forecast,
    Imbalance,
    Measured,
    NewImageCheck,
    Overlap,
    PairedImage,
    Rival,
    SamePair,
)

NOTHING = AuditRecord(
    {'train': 800, 'val': 100, 'test': 100}, '', Measured(0.9, 0.88, 0.92, 900), {}, {}, (), (), 0,
    (), None, None, (), (),
)  # fmt: skip
PAIR = SamePair(
    PairedImage('1', 'cat/1.jpg', 'train', 'cat'),
    PairedImage('2', 'cat/2.jpg', 'test', 'cat'),
    0.99,
)
ALL = dataclasses.replace(
    NOTHING,
    suspects={'train': 40, 'test': 8},
    outliers={'train': 1},
    overlaps=(Overlap('cat', 'dog', 66, 116, 0.109),),
    pairs=(PAIR,),
    pair_count=1,
    facts=(
        FactAccuracy('source_format', 0.98, 0.5, 0.45, 0.51),
        FactAccuracy('brightness', 0.55, 0.5, 0.01, 0.09),
    ),
    base=BaseCheck(0.71, 400, (Rival('majority', 0.5, 0.2, 0.1, 0.3),
                               Rival('random weights', 0.8, -0.09, -0.14, -0.04))),
    imbalance=Imbalance('owl', 'cat', 30, 500, Measured(0.4, 0.25, 0.58, 30), 0.55),
    forecasts=(
        Forecast(900, '', 0.9, 0.92, 0.91, 0.93, 0.01, 0.03),
        Forecast(30, 'owl', 0.9, 0.905, 0.89, 0.92, 0.001, 0.01),
        Forecast(500, 'cat', 0.9, 0.91, 0.89, 0.92, -0.001, 0.02),
    ),
    new=NewImageCheck(12, 60, 0.91, 0.85, 0.94, 0.001),
)  # fmt: skip
SUSPECTS = [(f'cat/{i}.jpg', 'cat', 'dog') for i in range(48)]


def test_nothing_is_said_where_nothing_is_found() -> None:
    assert findings.find(NOTHING, [], [], AuditPolicy()) == ()
    assert findings.forecast_line(()) == ''


@pytest.mark.golden
def test_wording() -> None:
    found = findings.find(ALL, SUSPECTS, ['owl/7.jpg'], AuditPolicy(imbalance='stop'))
    lines = [f'{"stops" if each.fatal else "warns"}: {each.message}' for each in found]
    lines.append(findings.forecast_line(ALL.forecasts))
    not_shown = dataclasses.replace(
        NOTHING, base=BaseCheck(0.71, 400, (Rival('pixels', 0.7, 0.01, -0.03, 0.05),))
    )
    lines += [f.message for f in findings.find(not_shown, [], [], AuditPolicy())]
    golden.check('data_audit_findings.txt', '\n'.join(lines) + '\n')


@pytest.mark.parametrize('name', [name for name, of in AuditPolicy.model_fields.items()
                                  if of.default == 'warn'])  # fmt: skip
def test_each_policy_is_of_one_finding(name: str) -> None:
    def found(action: str) -> list[bool]:
        policy = AuditPolicy(**{name: action, 'max_suspect_labels': 0, 'max_outliers': 0})  # type: ignore[arg-type]
        return [each.fatal for each in findings.find(ALL, SUSPECTS, ['owl/7.jpg'], policy)]

    assert found('warn') == [False] * 8
    assert found('stop') == [True, *[False] * 7]
    assert found('ignore') == [False] * 7
