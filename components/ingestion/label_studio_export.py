"""Answers in an export of Label Studio, JSON or JSON-MIN (https://labelstud.io/guide/export)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

_MIN_NAMES = ('label', 'choice', 'choices')  # of the answer in JSON-MIN


class Choices(NamedTuple):
    """What a person chose for a task, and when; no choice where it was left empty."""

    labels: list[str]
    who: str
    when: str


def is_export(content: Any) -> bool:
    """Whether parsed JSON looks like an export of Label Studio."""
    first = content[0] if isinstance(content, list) and content else None
    return isinstance(first, dict) and ('data' in first or 'annotation_id' in first)


def answers(task: Mapping[str, Any]) -> list[Choices]:
    """One of each person; in JSON-MIN, which has a task for each, exactly one."""
    return list(_annotations(task)) if 'data' in task else [_minimal(task)]


def _annotations(task: Mapping[str, Any]) -> Iterator[Choices]:
    for annotation in task.get('annotations') or ():
        if annotation.get('was_cancelled'):
            continue
        labels = [
            choice
            for result in annotation.get('result') or ()
            if result.get('type') == 'choices'
            for choice in result.get('value', {}).get('choices', ())
        ]
        when = annotation.get('updated_at') or annotation.get('created_at')
        yield Choices(labels, _person(annotation.get('completed_by')), str(when or ''))


def _minimal(task: Mapping[str, Any]) -> Choices:
    value: Any = next((task[name] for name in _MIN_NAMES if task.get(name)), [])
    if isinstance(value, dict):
        value = value.get('choices', [])
    labels = [value] if isinstance(value, str) else list(map(str, value))
    return Choices(labels, _person(task.get('annotator')), str(task.get('updated_at') or ''))


def _person(who: Any) -> str:
    if isinstance(who, dict):
        return str(who.get('email') or who.get('username') or who.get('id') or '')
    return f'annotator {who}' if isinstance(who, int) else str(who or '')
