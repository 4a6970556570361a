"""Choices and regions in an export of Label Studio, JSON or JSON-MIN.

https://labelstud.io/guide/export and https://labelstud.io/guide/task_format
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from thawline.components.ingestion import boxes

_MIN_NAMES = ('label', 'choice', 'choices')  # of the answer in JSON-MIN
_REGIONS = ('rectanglelabels', 'polygonlabels')


class Choices(NamedTuple):
    """What a person chose for a task, and when; no choice where it was left empty."""

    labels: list[str]
    who: str
    when: str


def is_export(content: Any) -> bool:
    """Whether parsed JSON looks like an export of Label Studio."""
    first = content[0] if isinstance(content, list) and content else None
    return isinstance(first, dict) and ('data' in first or 'annotation_id' in first)


class Region(NamedTuple):
    """A rectangle or polygon on the image.

    Attributes:
        key: its id, which no other region of the image has.
        labels: of it; one, if all is well.
        points: x, y, x, y, ... in pixels, or shares where `size` is (1, 1); None: damaged.
        size: width and height of the image in the same unit.
    """

    key: str
    labels: list[str]
    points: list[float] | None
    size: tuple[float, float]


def is_task(task: Any) -> bool:
    """Whether everything that is read of a task here is of the right kind."""
    if not isinstance(task, dict) or not isinstance(task.get('data', {}), dict):
        return False
    annotations = task.get('annotations') or []
    if not isinstance(annotations, list) or not all(isinstance(a, dict) for a in annotations):
        return False
    results = [annotation.get('result') or [] for annotation in annotations]
    if not all(isinstance(of_one, list) for of_one in results):
        return False
    return all(_is_result(result) for of_one in results for result in of_one)


def _is_result(result: Any) -> bool:
    value = result.get('value', {}) if isinstance(result, dict) else None
    kind = result.get('type') if isinstance(result, dict) else None
    if not isinstance(value, dict):
        return False
    return kind not in ('choices', *_REGIONS) or isinstance(value.get(kind) or [], list)


def answers(task: Mapping[str, Any], question: str | None = None) -> list[Choices]:
    """One of each person; in JSON-MIN, which has a task for each, exactly one.

    Args:
        task: of an export.
        question: name of the control that is asked for; None: all of them.
    """
    return list(_annotations(task, question)) if 'data' in task else [_minimal(task, question)]


def questions(task: Mapping[str, Any]) -> set[str]:
    """The names of the controls that a task has choices of."""
    return {
        str(result.get('from_name'))
        for annotation in _valid(task)
        for result in annotation.get('result') or ()
        if result.get('type') == 'choices'
    }


def regions(task: Mapping[str, Any]) -> list[list[Region]]:
    """The rectangles and polygons of each annotation that has any."""
    of_annotations = (
        [
            _region(position, result)
            for position, result in enumerate(annotation.get('result') or (), 1)
            if result.get('type') in _REGIONS
        ]
        for annotation in _valid(task)
    )
    return [found for found in of_annotations if found]


def _region(position: int, result: Mapping[str, Any]) -> Region:
    value = result.get('value') or {}
    key = str(result.get('id') or f'region{position}')
    labels = list(map(str, value.get(result['type']) or ()))
    try:
        size = float(result['original_width']), float(result['original_height'])
        if not (min(size) > 0 and max(size) < math.inf):
            size = 1.0, 1.0
    except (KeyError, TypeError, ValueError, OverflowError):
        size = 1.0, 1.0
    try:
        if result['type'] == 'polygonlabels':
            percent = [float(number) for point in value['points'] for number in point[:2]]
        else:
            x, y, width, height = (float(value[name]) for name in ('x', 'y', 'width', 'height'))
            percent = [x, y, x + width, y, x + width, y + height, x, y + height]
        degrees = float(value.get('rotation') or 0)
    except (KeyError, TypeError, ValueError, OverflowError):
        return Region(key, labels, None, size)
    if len(percent) < 6 or len(percent) % 2 or not all(map(math.isfinite, [*percent, degrees])):
        return Region(key, labels, None, size)
    points = [number / 100 * size[n % 2] for n, number in enumerate(percent)]
    if degrees:  # around the first corner
        points = boxes.rotated(points, (points[0], points[1]), degrees)
    return Region(key, labels, points, size)


def _valid(task: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (a for a in task.get('annotations') or () if not a.get('was_cancelled'))


def _annotations(task: Mapping[str, Any], question: str | None) -> Iterator[Choices]:
    for annotation in _valid(task):
        labels = [
            choice
            for result in annotation.get('result') or ()
            if result.get('type') == 'choices' and question in (None, result.get('from_name'))
            for choice in map(str, result.get('value', {}).get('choices') or ())
        ]
        when = annotation.get('updated_at') or annotation.get('created_at')
        yield Choices(labels, _person(annotation.get('completed_by')), str(when or ''))


def _minimal(task: Mapping[str, Any], question: str | None) -> Choices:
    names = _MIN_NAMES if question is None else (question,)
    value: Any = next((task[name] for name in names if task.get(name)), [])
    if isinstance(value, dict):
        value = value.get('choices') or []
    labels = list(map(str, value if isinstance(value, list) else [value]))
    return Choices(labels, _person(task.get('annotator')), str(task.get('updated_at') or ''))


def _person(who: Any) -> str:
    if isinstance(who, dict):
        return str(who.get('email') or who.get('username') or who.get('id') or '')
    return f'annotator {who}' if isinstance(who, int) else str(who or '')
