"""The section on the threshold of a model of two classes: its words, its counts, its curves."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from thawline.components.report import formatting
from thawline.components.report.content import ThresholdCounts, TwoClasses
from thawline.components.report.drawing import LEFT, RIGHT, TOP, WIDTH, Axes, add, markup, svg_root
from thawline.components.shared.splits import VAL
from thawline.components.statistics.proportions import wilson

ROWS = ('True positives', 'False positives', 'False negatives', 'True negatives', 'Recall',
        'Precision')  # fmt: skip
_BOTTOM, _HEIGHT = 252.0, 290.0


@dataclasses.dataclass(frozen=True)
class Curve:
    """A chart: its heading, what is on its axes, and the area below it by split."""

    name: str
    title: str
    areas: str
    svg: Markup


def threshold_text(threshold: float) -> str:
    """As it stands beside the slider."""
    return f'{threshold:.3f}'


def cells(counts: ThresholdCounts, position: int) -> tuple[str, ...]:
    """The values of `ROWS` at one threshold."""
    hits, alarms = counts.true_positives[position], counts.false_positives[position]
    numbers = (hits, alarms, counts.positives - hits, counts.negatives - alarms)
    shares = (wilson(hits, counts.positives), wilson(hits, hits + alarms))
    return (
        *(f'{number:,}' for number in numbers),
        *(f'{formatting.percent(of.share)}\n{formatting.interval_ends(of)}' for of in shares),
    )


def payload(two: TwoClasses) -> dict[str, Any]:
    """What the script shows as the slider moves: the words of each threshold and its points."""
    return {
        'thresholds': [threshold_text(threshold) for threshold in two.thresholds],
        'served': two.served,
        'splits': {
            split: {
                'cells': [cells(counts, i) for i in range(len(two.thresholds))],
                'roc': [_at(_point(counts, i, 'roc')) for i in range(len(two.thresholds))],
                'pr': [_at(_point(counts, i, 'pr')) for i in range(len(two.thresholds))],
            }
            for split, counts in two.splits.items()
        },
    }


def _point(counts: ThresholdCounts, position: int, name: str) -> tuple[float, float] | None:
    """Where a threshold lies on a curve; None where a share is undefined."""
    hits, alarms = counts.true_positives[position], counts.false_positives[position]
    if not counts.positives or not counts.negatives:
        return None
    recall = hits / counts.positives
    if name == 'roc':
        return alarms / counts.negatives, recall
    return (recall, hits / (hits + alarms)) if hits + alarms else None


def _axes(svg: Any = None) -> Axes:
    return Axes(svg, 1.0, 0.0, 1.0, _BOTTOM)


def _at(point: tuple[float, float] | None) -> list[float] | None:
    axes = _axes()
    return None if point is None else [round(axes.x(point[0]), 1), round(axes.y(point[1]), 1)]


def curves(two: TwoClasses, folds: int = 0) -> list[Curve]:
    """ROC and precision-recall, with the served threshold on them; those that have a curve.

    Where val is all images, judged in `folds`, its curve is called that.
    """
    names = {VAL: 'folds'} if folds else {}
    charts = []
    for name, title, x_title, y_title, area in (
        ('roc', 'ROC', 'false-positive rate', 'recall', 'auc'),
        ('pr', 'Precision and recall', 'recall', 'precision', 'average_precision'),
    ):
        values = {split: getattr(counts, area) for split, counts in two.splits.items()}
        areas = ', '.join(
            f'{names.get(split, split) if len(values) > 1 else ""} {v:.3f}'.strip()
            for split, v in values.items()
            if v is not None
        )
        if not areas:
            continue
        areas = f'{"AUC" if name == "roc" else "average precision"} {areas}'
        charts.append(
            Curve(name, title, areas, _chart(two, names, name, title, (x_title, y_title), areas))
        )
    return charts


def _chart(
    two: TwoClasses,
    names: Mapping[str, str],
    name: str,
    title: str,
    axis_titles: tuple[str, str],
    areas: str,
) -> Markup:
    svg = svg_root(f'{title}, {areas}.', WIDTH, _HEIGHT, 'chart')
    axes = _axes(svg)
    axes.shares()
    add(svg, 'text', 'tick', axis_titles[0], x=(LEFT + RIGHT) / 2, y=_BOTTOM + 34,
        text_anchor='middle')  # fmt: skip
    add(svg, 'text', 'tick', axis_titles[1], x=LEFT, y=TOP - 6, text_anchor='start')
    for position, (split, counts) in enumerate(two.splits.items()):
        points = counts.roc if name == 'roc' else counts.precision_recall
        if not points:
            continue
        line = ' '.join(f'{axes.x(a):.1f},{axes.y(b):.1f}' for a, b in points)
        add(svg, 'polyline', f'curve {split}', points=line)
        if len(two.splits) > 1:
            label = names.get(split, split)
            add(svg, 'text', f'end {split}', label, x=RIGHT + 8, y=TOP + 4 + 16 * position)
        if (point := _point(counts, two.served, name)) is not None:
            x, y = axes.x(point[0]), axes.y(point[1])
            add(svg, 'circle', f'served {split}', cx=x, cy=y, r=5)
            moving = {'data-curve': name, 'data-split': split}
            add(svg, 'circle', 'moving', cx=x, cy=y, r=8, **moving)
    return markup(svg)
