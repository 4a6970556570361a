"""Plays a run of the project in a folder with the real display, until a line comes in."""

from __future__ import annotations

import pathlib
import sys

from thawline.components.shared import progress
from thawline.pipeline.config import loading
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata.runs import NodeResult
from thawline.pipeline.terminal.console import say
from thawline.pipeline.terminal.run_display import RunDisplay

LINES = {
    'SchemaGen': (
        'inferred; review and keep it with: thawline schema infer (writes {home}/schema.pbtxt)'
    ),
    'Embedder': 'val accuracy 98.4 % (91.7 to 99.7 %), gate 70.0 %: passed, test accuracy 84.9 %',
    'Report': '{home}/runs/stones/artifacts/Report/report/30/report.html',
}
REASON = (
    'Test accuracy (84.9 % of 53 images) is significantly lower than val accuracy. Look for the '
    'cause: near-duplicates across train and val, images from other sources in test.'
)
STEPS = (
    ('review last', 'the report, with the images that the model gets wrong'),
    ('promote last', 'this model into production'),
)


def main(home: pathlib.Path) -> None:
    settings = loading.parse('name: stones\ndata: {source: images}\n', 'thawline.yaml')
    display = RunDisplay(sys.stdout, Project.of(settings, home))
    display._describe = lambda result: LINES[result.node].format(home=home)
    display.show_title('20261130-065040.740')
    for node in LINES:
        display.show_done(NodeResult(node, 'complete', {}, 12.3))
    with display.show_running('Trainer'):
        progress.start('images through the frozen base', 397)
        progress.advance(120)
        progress.note('epoch 2/12, val 88.1 % ▁▃▅█')
        sys.stdin.read(1)
    say(display._console, f'  {REASON}')
    display.show_next(STEPS)


if __name__ == '__main__':
    main(pathlib.Path(sys.argv[1]))
