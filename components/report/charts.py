"""The charts of the page as SVG without script, so that they print and follow the theme.

Every colour is a class of the style sheet. Text is set through the XML tree, which escapes it.
Charts with axes are drawn on a canvas of 420 units, so that their text stays readable on a phone;
tracks are drawn in percent of whatever width the row has.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Sequence

from markupsafe import Markup

from thawline.components.report.content import CalibrationBin, Interval, LearningCurves, RuleResult
from thawline.components.report.formatting import image_count, percent

_WIDTH, _HEIGHT = 420.0, 280.0
_LEFT, _RIGHT, _TOP = 44.0, 366.0, 18.0
_LINE = 15.0  # between two lines of text


def _svg(label: str, width: float, height: float, kind: str) -> ET.Element:
    box = f'0 0 {width:g} {height:g}'
    return ET.Element('svg', {'viewBox': box, 'class': kind, 'role': 'img', 'aria-label': label})


def _add(parent: ET.Element, tag: str, kind: str, text: str = '', **numbers: float | str) -> None:
    attributes = {
        key.replace('_', '-'): value if isinstance(value, str) else f'{value:.2f}'
        for key, value in numbers.items()
    }
    ET.SubElement(parent, tag, {'class': kind, **attributes}).text = text or None


def _markup(svg: ET.Element) -> Markup:
    return Markup(ET.tostring(svg, encoding='unicode'))


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
    _add(svg, 'line', 'rail', x1='0', x2='100%', y1='50%', y2='50%')
    if mark is not None:
        at = _position(mark, floor)
        _add(svg, 'line', mark_kind, x1=at, x2=at, y1='0', y2='100%')
    if interval.share is not None:
        low, high = _position(interval.lower, floor), _position(interval.upper, floor)
        _add(svg, 'line', 'whisker', x1=low, x2=high, y1='50%', y2='50%')
        _add(svg, 'circle', 'dot', cx=_position(interval.share, floor), cy='50%', r='4.5')
    return _markup(svg)


def scale(floor: float) -> Markup:
    """The labels of the axis below tracks."""
    svg = ET.Element('svg', {'class': 'scale', 'aria-hidden': 'true'})
    for step in range(5):
        share = floor + (1 - floor) * step / 4
        anchor = 'start' if step == 0 else 'end' if step == 4 else 'middle'
        text = percent(share, 0 if math.isclose(100 * share, round(100 * share)) else 1)
        # The ends and the middle remain on a phone.
        kind = 'tick' if step % 2 == 0 else 'tick between'
        _add(svg, 'text', kind, text, x=_position(share, floor), y='14', text_anchor=anchor)
    return _markup(svg)


def bullet(rule: RuleResult) -> Markup:
    """The value of a rule and its bound; the side on which the rule holds is shaded.

    The axis ends at 1 where both are shares, so that rules can be compared, else somewhat above the
    larger of the two.
    """
    svg = ET.Element('svg', {'class': 'bullet', 'aria-hidden': 'true'})
    value, bound, margin = rule.value, rule.bound, rule.margin
    if value is None or bound is None or margin is None:
        _add(svg, 'rect', 'band', x='0', y='30%', width='100%', height='40%')
        return _markup(svg)
    low, high = min(value, bound, 0.0), max(value, bound)
    top = 1.0 if high <= 1 and (bound >= 0.3 or value >= 0.3) else 1.3 * high or 1.0

    def at(number: float) -> float:
        return 100 * (number - low) / (top - low)

    above = (value - bound) * margin > 0 or (margin == 0 and bound >= 0.3)
    start, end = (at(bound), 100.0) if above else (0.0, at(bound))
    _add(svg, 'rect', 'band', x='0', y='30%', width='100%', height='40%')
    _add(svg, 'rect', 'band good', x=f'{start:.2f}%', y='30%', width=f'{end - start:.2f}%',
         height='40%')  # fmt: skip
    _add(svg, 'line', 'bound', x1=f'{at(bound):.2f}%', x2=f'{at(bound):.2f}%', y1='8%', y2='92%')
    kind = 'dot holds' if rule.holds else 'dot' if rule.holds is None else 'dot fails'
    _add(svg, 'circle', kind, cx=f'{at(value):.2f}%', cy='50%', r='6')
    return _markup(svg)


class _Axes:
    """Maps x in [0, columns] and y in [low, high] to the canvas, and draws the grid."""

    def __init__(self, svg: ET.Element, last: float, low: float, high: float, bottom: float):
        self._svg, self._last, self._low, self._high = svg, max(last, 1e-9), low, high
        self._bottom = bottom

    def x(self, value: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * value / self._last

    def y(self, value: float) -> float:
        return self._bottom - (self._bottom - _TOP) * (value - self._low) / (self._high - self._low)

    def grid(self, values: Sequence[tuple[float, str]]) -> None:
        for value, text in values:
            at = self.y(value)
            _add(self._svg, 'line', 'grid', x1=_LEFT, x2=_RIGHT, y1=at, y2=at)
            _add(self._svg, 'text', 'tick', text, x=_LEFT - 6, y=at + 4, text_anchor='end')

    def epochs(self, last: int) -> None:
        step = max(1, math.ceil(last / 8))
        for number in range(0, last + 1, step):
            _add(self._svg, 'text', 'tick', str(number), x=self.x(number), y=self._bottom + 16,
                 text_anchor='middle')  # fmt: skip

    def curve(self, kind: str, values: Sequence[tuple[float, float]]) -> None:
        line = ' '.join(f'{self.x(a):.2f},{self.y(b):.2f}' for a, b in values)
        _add(self._svg, 'polyline', f'curve {kind}', points=line)
        if len(values) <= 40:
            for a, b in values:
                _add(self._svg, 'circle', f'point {kind}', cx=self.x(a), cy=self.y(b), r=2.5)


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
    svg = _svg(label, _WIDTH, _HEIGHT + 26, 'chart')
    low, high = _span([share for _, share in train + val])
    axes = _Axes(svg, last, low, high, _HEIGHT - 60)
    _add(svg, 'rect', 'thaw', x=axes.x(0), y=_TOP, width=axes.x(last) - axes.x(0),
         height=_HEIGHT - 60 - _TOP)  # fmt: skip
    levels = [low + (high - low) * i / 4 for i in range(5)]
    axes.grid([(level, percent(level, _places(high - low))) for level in levels])
    axes.epochs(last)
    _add(svg, 'text', 'tick', 'thaw', x=axes.x(0) + 8, y=_TOP + 15)
    axes.curve('train', train)
    axes.curve('val', val)
    if training.best_epoch is not None:
        best = dict(val).get(float(training.best_epoch))
        if best is not None:
            _add(svg, 'circle', 'best', cx=axes.x(training.best_epoch), cy=axes.y(best), r=7)
    ends = [axes.y(train[-1][1]), axes.y(val[-1][1])]
    if abs(ends[0] - ends[1]) < _LINE:
        middle, upper = sum(ends) / 2, 0 if ends[0] <= ends[1] else 1
        ends[upper], ends[1 - upper] = middle - _LINE / 2, middle + _LINE / 2
    for kind, at in zip(('train', 'val'), ends, strict=True):
        _add(svg, 'text', f'end {kind}', kind, x=_RIGHT + 8, y=at + 4)
    _thawed_blocks(svg, axes, training, _HEIGHT - 34)
    return _markup(svg)


def _places(span: float) -> int:
    """Decimals that a quarter of `span` needs in percent."""
    return 0 if math.isclose(span * 25, round(span * 25)) else 1


def _thawed_blocks(svg: ET.Element, axes: _Axes, training: LearningCurves, top: float) -> None:
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
        _add(svg, 'rect', 'blocks', x=start + 1, y=top, width=max(end - start - 2, 0.5), height=20,
             fill_opacity=0.12 + 0.33 * blocks / most)  # fmt: skip
        if end - start > 18:
            _add(svg, 'text', 'on', str(blocks), x=(start + end) / 2, y=top + 14.5,
                 text_anchor='middle')  # fmt: skip
    _add(svg, 'text', 'tick', 'blocks', x=_RIGHT + 8, y=top + 14)
    _add(svg, 'text', 'tick', 'thawed in epoch', x=(_LEFT + _RIGHT) / 2, y=top + 36,
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
    svg = _svg(label, _WIDTH, _HEIGHT + 26, 'chart')
    axes = _Axes(svg, max(last, 1), 0.0, 4 * step, _HEIGHT - 60)
    axes.grid([(i * step, f'{i * step:.3g}') for i in range(5)])
    axes.epochs(round(max(last, 1)))
    axes.curve('val', losses)
    for number, loss in losses:
        if number == training.best_epoch:
            _add(svg, 'circle', 'best', cx=axes.x(number), cy=axes.y(loss), r=7)
    _add(svg, 'text', 'tick', 'epoch', x=(_LEFT + _RIGHT) / 2, y=_HEIGHT - 26, text_anchor='middle')
    return _markup(svg)


def calibration(bins: Sequence[CalibrationBin]) -> Markup:
    """Accuracy by score with intervals; below it, how many images."""
    total = sum(of.accuracy.n for of in bins)
    svg = _svg(f'Accuracy by score, {image_count(total)}.', _WIDTH, 356, 'chart')
    axes = _Axes(svg, 1.0, 0.0, 1.0, 252)
    axes.grid([(i / 4, percent(i / 4, 0)) for i in range(5)])
    _add(svg, 'line', 'ideal', x1=axes.x(0), y1=axes.y(0), x2=axes.x(1), y2=axes.y(1))
    most = max((of.accuracy.n for of in bins), default=1) or 1
    for of in bins:
        height = 44 * of.accuracy.n / most
        start, end = axes.x(of.lower) + 1, axes.x(of.upper) - 1
        _add(svg, 'rect', 'count', x=start, y=320 - height, width=end - start, height=height)
        if of.score is None or of.accuracy.share is None:
            continue
        x = axes.x(of.score)
        _add(svg, 'line', 'whisker', x1=x, x2=x, y1=axes.y(of.accuracy.lower),
             y2=axes.y(of.accuracy.upper))  # fmt: skip
        _add(svg, 'circle', 'dot', cx=x, cy=axes.y(of.accuracy.share), r=4.5)
    for i in range(5):
        _add(svg, 'text', 'tick', percent(i / 4, 0), x=axes.x(i / 4), y=336, text_anchor='middle')
    _add(svg, 'line', 'grid', x1=_LEFT, x2=_RIGHT, y1=320, y2=320)
    _add(svg, 'text', 'tick', f'{most:,}', x=_LEFT - 6, y=284, text_anchor='end')
    _add(svg, 'text', 'tick', 'images', x=_RIGHT + 8, y=320)
    _add(svg, 'text', 'tick', 'ideal', x=_RIGHT + 8, y=axes.y(1) + 4)
    _add(svg, 'text', 'tick', 'score', x=axes.x(0.5), y=352, text_anchor='middle')
    return _markup(svg)
