"""Counts that the gate judges: how classes change."""

from __future__ import annotations

from thawline.components.evaluation.gate.class_change import ClassChange


def test_classes_that_only_one_model_has_in_its_order() -> None:
    change = ClassChange.between(['bee', 'ant', 'fly'], ['wasp', 'ant', 'moth'])
    assert change == ClassChange(added=('wasp', 'moth'), removed=('bee', 'fly'))
    assert ClassChange.between(['ant', 'bee'], ['bee', 'ant']) == ClassChange((), ())


def test_a_change_is_whatever_is_added_or_removed() -> None:
    assert ClassChange(('ant',), ()) and ClassChange((), ('ant',))
    assert not ClassChange((), ())
