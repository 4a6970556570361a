"""Learning curves: what the picture says, and that the same record gives the same picture."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import made_records
from thawline.components.training import learning_curves
from thawline.components.training.record import Kept, TrainingRecord


def a_record(kept: Kept = 'fine_tuned', blocks: tuple[int, ...] = (6, 6, 18)) -> TrainingRecord:
    if not blocks:
        return made_records.training(0.825)
    tuned = made_records.fine_tuned(0.88, len(blocks), blocks)
    return made_records.training(0.825, kept=kept, val=tuned.val, fine_tune=tuned)


def texts(picture: bytes) -> list[str]:
    root = ElementTree.fromstring(picture.decode('utf-8'))
    return [''.join(e.itertext()).strip() for e in root.iter() if e.tag.endswith('}text')]


def test_picture_names_what_was_kept_and_where_blocks_thawed() -> None:
    labels = texts(learning_curves.draw(a_record()))
    assert 'kept: fine-tuned, 88.0 %' in labels
    assert 'frozen base 82.5 %' in labels
    # One mark a change of depth, not one an epoch.
    assert [t for t in labels if t.startswith('thaw')] == ['thaw: 6 blocks', 'thaw: 18 blocks'] * 2
    assert {'epoch', 'accuracy', 'log loss (nats)', 'peak learning rate'} <= set(labels)


def test_probe_alone_has_a_picture_too() -> None:
    labels = texts(learning_curves.draw(a_record('probe', blocks=())))
    assert 'kept: probe, 82.5 %' in labels
    assert not [t for t in labels if t.startswith('thaw')]
    assert 'peak learning rate' not in labels


def test_interpolated_weights_are_named() -> None:
    assert 'kept: interpolated, 88.0 %' in texts(learning_curves.draw(a_record('interpolated')))


def test_same_record_same_bytes() -> None:
    assert learning_curves.draw(a_record()) == learning_curves.draw(a_record())


@pytest.mark.parametrize('values', [[], [0.5]])
def test_no_trend_in_fewer_than_two_values(values: list[float]) -> None:
    assert learning_curves.sparkline(values) == ''


@given(st.lists(st.floats(0, 1), min_size=2, max_size=50))
def test_bars_rise_with_the_values(values: list[float]) -> None:
    bars = learning_curves.sparkline(values)
    assert len(bars) == len(values)
    for one, bar in zip(values, bars, strict=True):
        for other, other_bar in zip(values, bars, strict=True):
            assert one > other or bar <= other_bar
    if max(values) > min(values):
        assert bars[values.index(max(values))] == '█'
        assert bars[values.index(min(values))] == '▁'
