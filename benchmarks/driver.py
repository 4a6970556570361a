"""What a run holds of its images where it was started, whatever engine works on them.

Names and rows, never pixels: the listing, a row an image that ingestion read, and the plan of the
splits. Megabytes are of resident memory, seconds of the processor; names are of 50 characters.
"""

from __future__ import annotations

import argparse
import hashlib
import pathlib
import time
from collections.abc import Callable
from typing import TypeVar

from thawline.components.ingestion.params import Split
from thawline.components.ingestion.readable_image import ReadableImage
from thawline.components.ingestion.source_types import SourceItem
from thawline.components.ingestion.split_plan import plan_splits

RESULTS = pathlib.Path(__file__).with_suffix('.md')
Made = TypeVar('Made')


def resident() -> float:
    """Megabytes of memory that this process has."""
    status = pathlib.Path('/proc/self/status').read_text('ascii')
    return int(status.partition('VmRSS:')[2].split()[0]) / 1e3


def timed(make: Callable[[], Made]) -> tuple[Made, float, float]:
    """What is made, with the seconds of the processor and the megabytes that it takes."""
    before, began = resident(), time.process_time()
    made = make()
    return made, time.process_time() - began, resident() - before


def item(number: int) -> SourceItem:
    """An image as listed."""
    name = f'class_{number % 10}/part_{number // 1000:06d}/image_{number:09d}.jpg'
    return SourceItem(f'/data/images/{name}', name, f'class_{number % 10}')


def row(listed: SourceItem) -> ReadableImage:
    """The same image as read."""
    digest = hashlib.sha256(listed.path.encode()).hexdigest()
    return ReadableImage(listed.relative_path, digest, None, listed.label)


def main() -> None:
    """Measures and prints; `--write` replaces the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--images', default=300_000, type=int)
    parser.add_argument('--write', action='store_true')
    given = parser.parse_args()
    items, *listing = timed(lambda: [item(number) for number in range(given.images)])
    rows, *read = timed(lambda: [row(one) for one in items])
    _, *plan = timed(lambda: plan_splits(rows, Split(folds=0), normalise_labels=False))
    lines = ['| | bytes an image | microseconds an image |', '|---|---|---|']
    for what, (seconds, megabytes) in (('listing', listing), ('rows', read), ('plan', plan)):
        each = (1e6 * value / given.images for value in (megabytes, seconds))
        lines.append(f'| {what} | {" | ".join(f"{value:.0f}" for value in each)} |')
    table = '\n'.join(lines)
    text = (
        '# What a run holds of its images where it was started\n\n'
        f'`python -m benchmarks.driver --images {given.images} --write`; what is measured and how '
        f'is said in [driver.py](driver.py).\n\n{table}\n'
    )
    print(text)
    if given.write:
        RESULTS.write_text(text, 'utf-8')


if __name__ == '__main__':
    main()
