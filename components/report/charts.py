"""The charts of the page as SVG without script, so that they print and follow the theme.

Charts with axes are drawn on a canvas of 420 units, so that their text stays readable on a phone;
tracks are drawn in percent of whatever width the row has.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Sequence

from markupsafe import Markup

from thawline.components.report.content import CalibrationBin, Interval, LearningCurves, RuleResult
from thawline.components.report.drawing import (
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Axes,
    add,
    markup,
    svg_root,
)
from thawline.components.report.formatting import image_count, percent

_LINE = 15.0  # between two lines of text


def _position(share: float, floor: float) -> str:
    """Where a share lies on an axis from `floor` to 1, as a percentage of the width."""
    return f'{100 * min(max((share - floor) / (1 - floor), 0.0), 1.0):.2f}%'


def track(
    interval: Interval,
    floor: float = 0.0,
    mark: float | None = None,
    kind: str = 'model',
    mark_kind: str = 'mark',
) -> Markup:
    """A share with its interval on an axis from `floor` to 1; its numbers stand beside it.

    Args:
        interval: drawn as a bar with a dot; nothing where its share is None.
        floor: the left end of the axis, below 1.
        mark: a share to compare it with, drawn as a line of full height.
        kind: 'model' or 'baseline'.
        mark_kind: 'mark' or 'gate'.
    """
    svg = ET.Element('svg', {'class': f'track {kind}', 'aria-hidden': 'true'})
    add(svg, 'line', 'rail', x1='0', x2='100%', y1='50%', y2='50%')
    if mark is not None:
        at = _position(mark, floor)
        add(svg, 'line', mark_kind, x1=at, x2=at, y1='0', y2='100%')
    if interval.share is not None:
        low, high = _position(interval.lower, floor), _position(interval.upper, floor)
        add(svg, 'line', 'whisker', x1=low, x2=high, y1='50%', y2='50%')
        add(svg, 'circle', 'dot', cx=_position(interval.share, floor), cy='50%', r='4.5')
    return markup(svg)


def scale(floor: float) -> Markup:
    """The labels of the axis below tracks."""
    svg = ET.Element('svg', {'class': 'scale', 'aria-hidden': 'true'})
    for step in range(5):
        share = floor + (1 - floor) * step / 4
        anchor = 'start' if step == 0 else 'end' if step == 4 else 'middle'
        text = percent(share, 0 if math.isclose(100 * share, round(100 * share)) else 1)
        # The ends and the middle remain on a phone.
        kind = 'tick' if step % 2 == 0 else 'tick between'
        add(svg, 'text', kind, text, x=_position(share, floor), y='14', text_anchor=anchor)
    return markup(svg)


def bullet(rule: RuleResult) -> Markup:
    """The value of a rule and its bound; the side on which the rule holds is shaded.

    The axis ends at 1 where both are shares, so that rules can be compared, else somewhat above the
    larger of the two.
    """
    svg = ET.Element('svg', {'class': 'bullet', 'aria-hidden': 'true'})
    value, bound, margin = rule.value, rule.bound, rule.margin
    if value is None or bound is None or margin is None:
        add(svg, 'rect', 'band', x='0', y='30%', width='100%', height='40%')
        return markup(svg)
    low, high = min(value, bound, 0.0), max(value, bound)
    top = 1.0 if high <= 1 and (bound >= 0.3 or value >= 0.3) else 1.3 * high or 1.0

    def at(number: float) -> float:
        return 100 * (number - low) / (top - low)

    above = (value - bound) * margin > 0 or (margin == 0 and bound >= 0.3)
    start, end = (at(bound), 100.0) if above else (0.0, at(bound))
    add(svg, 'rect', 'band', x='0', y='30%', width='100%', height='40%')
    add(svg, 'rect', 'band good', x=f'{start:.2f}%', y='30%', width=f'{end - start:.2f}%',
         height='40%')  # fmt: skip
    add(svg, 'line', 'bound', x1=f'{at(bound):.2f}%', x2=f'{at(bound):.2f}%', y1='8%', y2='92%')
    kind = 'dot holds' if rule.holds else 'dot' if rule.holds is None else 'dot fails'
    add(svg, 'circle', kind, cx=f'{at(value):.2f}%', cy='50%', r='6')
    return markup(svg)


def _span(values: Sequence[float]) -> tuple[float, float]:
    """A range of accuracies with whole steps of 5 points around it, at least 10 points wide."""
    low = max(0.0, math.floor(min(values) * 20 - 1e-9) / 20)
    high = min(1.0, math.ceil(max(values) * 20 + 1e-9) / 20)
    return (low, high) if high - low >= 0.1 else (max(0.0, high - 0.1), max(high, 0.1))


def learning_accuracy(training: LearningCurves) -> Markup:
    """Accuracy on train and val over the epochs of the thaw; epoch 0 is the frozen base.

    Below the axis is the number of thawed blocks in each epoch.
    """
    train = [(0.0, training.probe_train)]
    val = [(0.0, training.probe_val)]
    for epoch in training.epochs:
        train.append((float(epoch.number), epoch.train_accuracy))
        val.append((float(epoch.number), epoch.val_accuracy))
    last = max(1, round(train[-1][0]))
    label = (
        f'Accuracy over {last} epochs: train from {percent(train[0][1])} to '
        f'{percent(train[-1][1])}, val from {percent(val[0][1])} to {percent(val[-1][1])}.'
    )
    svg = svg_root(label, WIDTH, HEIGHT + 26, 'chart')
    low, high = _span([share for _, share in train + val])
    axes = Axes(svg, last, low, high, HEIGHT - 60)
    add(svg, 'rect', 'thaw', x=axes.x(0), y=TOP, width=axes.x(last) - axes.x(0),
         height=HEIGHT - 60 - TOP)  # fmt: skip
    levels = [low + (high - low) * i / 4 for i in range(5)]
    axes.grid([(level, percent(level, _places(high - low))) for level in levels])
    axes.epochs(last)
    add(svg, 'text', 'tick', 'thaw', x=axes.x(0) + 8, y=TOP + 15)
    axes.curve('train', train)
    axes.curve('val', val)
    if training.best_epoch is not None:
        best = dict(val).get(float(training.best_epoch))
        if best is not None:
            add(svg, 'circle', 'best', cx=axes.x(training.best_epoch), cy=axes.y(best), r=7)
    ends = [axes.y(train[-1][1]), axes.y(val[-1][1])]
    if abs(ends[0] - ends[1]) < _LINE:
        middle, upper = sum(ends) / 2, 0 if ends[0] <= ends[1] else 1
        ends[upper], ends[1 - upper] = middle - _LINE / 2, middle + _LINE / 2
    for kind, at in zip(('train', 'val'), ends, strict=True):
        add(svg, 'text', f'end {kind}', kind, x=RIGHT + 8, y=at + 4)
    _thawed_blocks(svg, axes, training, HEIGHT - 34)
    return markup(svg)


def _places(span: float) -> int:
    """Decimals that a quarter of `span` needs in percent."""
    return 0 if math.isclose(span * 25, round(span * 25)) else 1


def _thawed_blocks(svg: ET.Element, axes: Axes, training: LearningCurves, top: float) -> None:
    """A bar for each run of epochs with the same number of thawed blocks."""
    stretches: list[list[int]] = []
    for epoch in training.epochs:
        if stretches and stretches[-1][2] == epoch.blocks:
            stretches[-1][1] = epoch.number
        else:
            stretches.append([epoch.number, epoch.number, epoch.blocks])
    most = max((blocks for *_, blocks in stretches), default=1) or 1
    for first, last, blocks in stretches:
        start, end = axes.x(first - 1), axes.x(last)
        add(svg, 'rect', 'blocks', x=start + 1, y=top, width=max(end - start - 2, 0.5), height=20,
             fill_opacity=0.12 + 0.33 * blocks / most)  # fmt: skip
        if end - start > 18:
            add(svg, 'text', 'on', str(blocks), x=(start + end) / 2, y=top + 14.5,
                 text_anchor='middle')  # fmt: skip
    add(svg, 'text', 'tick', 'blocks', x=RIGHT + 8, y=top + 14)
    add(svg, 'text', 'tick', 'thawed in epoch', x=(LEFT + RIGHT) / 2, y=top + 36,
         text_anchor='middle')  # fmt: skip


def _step(least: float) -> float:
    """The next of 1, 2, 2.5, 5 times a power of ten that is not below `least`."""
    if least <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return power * next(digit for digit in (1, 2, 2.5, 5, 10) if digit * power >= least * 0.999)


def learning_loss(training: LearningCurves) -> Markup:
    """Loss on val over the epochs of the thaw; there must be an epoch."""
    losses = [(float(epoch.number), epoch.val_loss) for epoch in training.epochs]
    last, step = losses[-1][0], _step(max(loss for _, loss in losses) / 4)
    label = f'Loss on val over the epochs: from {losses[0][1]:.3f} to {losses[-1][1]:.3f}.'
    svg = svg_root(label, WIDTH, HEIGHT + 26, 'chart')
    axes = Axes(svg, max(last, 1), 0.0, 4 * step, HEIGHT - 60)
    axes.grid([(i * step, f'{i * step:.3g}') for i in range(5)])
    axes.epochs(round(max(last, 1)))
    axes.curve('val', losses)
    for number, loss in losses:
        if number == training.best_epoch:
            add(svg, 'circle', 'best', cx=axes.x(number), cy=axes.y(loss), r=7)
    add(svg, 'text', 'tick', 'epoch', x=(LEFT + RIGHT) / 2, y=HEIGHT - 26, text_anchor='middle')
    return markup(svg)


def calibration(bins: Sequence[CalibrationBin]) -> Markup:
    """Accuracy by score with intervals; below it, how many images."""
    total = sum(of.accuracy.n for of in bins)
    svg = svg_root(f'Accuracy by score, {image_count(total)}.', WIDTH, 356, 'chart')
    axes = Axes(svg, 1.0, 0.0, 1.0, 252)
    axes.grid([(i / 4, percent(i / 4, 0)) for i in range(5)])
    add(svg, 'line', 'ideal', x1=axes.x(0), y1=axes.y(0), x2=axes.x(1), y2=axes.y(1))
    most = max((of.accuracy.n for of in bins), default=1) or 1
    for of in bins:
        height = 44 * of.accuracy.n / most
        start, end = axes.x(of.lower) + 1, axes.x(of.upper) - 1
        add(svg, 'rect', 'count', x=start, y=320 - height, width=end - start, height=height)
        if of.score is None or of.accuracy.share is None:
            continue
        x = axes.x(of.score)
        add(svg, 'line', 'whisker', x1=x, x2=x, y1=axes.y(of.accuracy.lower),
             y2=axes.y(of.accuracy.upper))  # fmt: skip
        add(svg, 'circle', 'dot', cx=x, cy=axes.y(of.accuracy.share), r=4.5)
    for i in range(5):
        add(svg, 'text', 'tick', percent(i / 4, 0), x=axes.x(i / 4), y=336, text_anchor='middle')
    add(svg, 'line', 'grid', x1=LEFT, x2=RIGHT, y1=320, y2=320)
    add(svg, 'text', 'tick', f'{most:,}', x=LEFT - 6, y=284, text_anchor='end')
    add(svg, 'text', 'tick', 'images', x=RIGHT + 8, y=320)
    add(svg, 'text', 'tick', 'ideal', x=RIGHT + 8, y=axes.y(1) + 4)
    add(svg, 'text', 'tick', 'score', x=axes.x(0.5), y=352, text_anchor='middle')
    return markup(svg)
