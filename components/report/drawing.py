"""What the charts draw with: SVG elements, and axes on a canvas of 420 units.

Every colour is a class of the style sheet. Text is set through the XML tree, which escapes it.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Sequence

from markupsafe import Markup

from thawline.components.report.formatting import percent

WIDTH, HEIGHT = 420.0, 280.0
LEFT, RIGHT, TOP = 44.0, 366.0, 18.0


def svg_root(label: str, width: float, height: float, kind: str) -> ET.Element:
    box = f'0 0 {width:g} {height:g}'
    return ET.Element('svg', {'viewBox': box, 'class': kind, 'role': 'img', 'aria-label': label})


def add(parent: ET.Element, tag: str, kind: str, text: str = '', **numbers: float | str) -> None:
    attributes = {
        key.replace('_', '-'): value if isinstance(value, str) else f'{value:.2f}'
        for key, value in numbers.items()
    }
    ET.SubElement(parent, tag, {'class': kind, **attributes}).text = text or None


def markup(svg: ET.Element) -> Markup:
    return Markup(ET.tostring(svg, encoding='unicode'))


class Axes:
    """Maps x in [0, columns] and y in [low, high] to the canvas, and draws the grid."""

    def __init__(self, svg: ET.Element, last: float, low: float, high: float, bottom: float):
        self._svg, self._last, self._low, self._high = svg, max(last, 1e-9), low, high
        self._bottom = bottom

    def x(self, value: float) -> float:
        return LEFT + (RIGHT - LEFT) * value / self._last

    def y(self, value: float) -> float:
        return self._bottom - (self._bottom - TOP) * (value - self._low) / (self._high - self._low)

    def grid(self, values: Sequence[tuple[float, str]]) -> None:
        for value, text in values:
            at = self.y(value)
            add(self._svg, 'line', 'grid', x1=LEFT, x2=RIGHT, y1=at, y2=at)
            add(self._svg, 'text', 'tick', text, x=LEFT - 6, y=at + 4, text_anchor='end')

    def epochs(self, last: int) -> None:
        step = max(1, math.ceil(last / 8))
        for number in range(0, last + 1, step):
            add(self._svg, 'text', 'tick', str(number), x=self.x(number), y=self._bottom + 16,
                 text_anchor='middle')  # fmt: skip

    def shares(self) -> None:
        """Both axes from 0 to 100 %."""
        quarters = [(i / 4, percent(i / 4, 0)) for i in range(5)]
        self.grid(quarters)
        for value, text in quarters:
            add(self._svg, 'text', 'tick', text, x=self.x(value), y=self._bottom + 16,
                text_anchor='middle')  # fmt: skip

    def curve(self, kind: str, values: Sequence[tuple[float, float]]) -> None:
        line = ' '.join(f'{self.x(a):.2f},{self.y(b):.2f}' for a, b in values)
        add(self._svg, 'polyline', f'curve {kind}', points=line)
        if len(values) <= 40:
            for a, b in values:
                add(self._svg, 'circle', f'point {kind}', cx=self.x(a), cy=self.y(b), r=2.5)
