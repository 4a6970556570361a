"""How sure a label is, as people write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thawline.components.ingestion.labels import confidence

SPACES = st.text(' \t', max_size=3)


@given(st.floats(0.0, 1.0, exclude_min=True), SPACES, SPACES)
def test_probabilities_are_read_as_they_are_written(value: float, before: str, after: str) -> None:
    assert confidence(f'{before}{value!r}{after}') == value


@given(SPACES)
def test_nothing_is_certain(written: str) -> None:
    assert confidence(written) == 1.0


@given(st.floats().filter(lambda value: not 0.0 < value <= 1.0))
def test_other_numbers_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r'above 0 and at most 1, or empty\. Received: '):
        confidence(str(value))


@given(st.text())
def test_any_text_is_a_probability_or_is_echoed(written: str) -> None:
    try:
        value = confidence(written)
    except ValueError as error:
        assert f'Received: {written!r}.' in str(error)
    else:
        assert 0.0 < value <= 1.0
