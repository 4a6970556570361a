from __future__ import annotations

import pytest

from thawline.components.shared.durations import duration


@pytest.mark.parametrize(
    ('seconds', 'text'),
    [(0.04, '0.0 s'), (9.94, '9.9 s'), (9.96, '10 s'), (59.4, '59 s'), (59.6, '1 min 00 s'),
     (185.2, '3 min 05 s'), (3599.4, '59 min 59 s'), (3600, '1 h 00 min'), (3725, '1 h 02 min')],
)  # fmt: skip
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
