"""How well the ranges that `thawline schema infer` proposes tell the images of a set from others.

On real sets: ranges of height, width, brightness and contrast are proposed from some images, drawn
200 times, and 100 others are held against them: as they are (a difference is a false alarm),
darkened to a third, of a third of their contrast, or as thumbnails of an eighth of their side.
Beside the false alarms are those of the bare ranges of the images.
"""

from __future__ import annotations

import argparse
import pathlib

import numpy as np

from thawline.components.ingestion import decoding, image_facts, storage
from thawline.components.ingestion.source_types import SourceSpec
from thawline.components.ingestion.sources import list_source
from thawline.pipeline.schema_review import proposal

RESULTS = pathlib.Path(__file__).with_suffix('.md')
SETS = ('hymenoptera', 'flowers5', 'trashnet', 'package:elpv_dataset')
SIZES = (40, 100, 200)
NEW, DRAWS, MOST = 100, 200, 400
MAX_SIDE, MAX_PIXELS = 1024, 10**8


def facts(name: str, data: pathlib.Path) -> dict[str, np.ndarray]:
    """Facts of up to 400 images as they are and changed, float64 [N, 4] each."""
    source = name if ':' in name else str(data / name)
    items = list_source(SourceSpec(source)).items
    chosen = np.random.default_rng(0).permutation(len(items))[:MOST]
    rows: dict[str, list[tuple[float, ...]]] = {}
    for number in chosen:
        image = decoding.canonicalise(storage.read(items[number].path, 10**9), MAX_SIDE, MAX_PIXELS)
        height, width, luma = image.source_height, image.source_width, image.luma
        flat = (luma.mean() + (luma - luma.mean()) / 3).astype(np.uint8)
        for change, changed, side in (
            ('as they are', luma, 1), ('darkened', luma // 3, 1), ('flat', flat, 1),
            ('thumbnails', luma, 8),
        ):  # fmt: skip
            measured = image_facts.measure(changed)
            row = (height // side, width // side, measured.brightness, measured.contrast)
            rows.setdefault(change, []).append(row)
    return {change: np.array(of, float) for change, of in rows.items()}


def proposed(seen: np.ndarray) -> np.ndarray:
    """The bounds that a proposal has, float64 [4, 2], from the facts [N, 4] of its images."""
    least, most = seen.min(0), seen.max(0)
    return np.array(
        [
            proposal.size_bounds(least[0], most[0]),
            proposal.size_bounds(least[1], most[1]),
            proposal.lighting_bounds(least[2], most[2], 0.0, 1.0),
            proposal.lighting_bounds(least[3], most[3], 0.0, 0.5),
        ]
    )


def outside(rows: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Whether a fact is outside, bool [N, 4]."""
    return np.asarray((rows < bounds[:, 0]) | (rows > bounds[:, 1]))


def main() -> None:
    """Measures and prints; `--write` replaces the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', default='../shared/data', type=pathlib.Path)
    parser.add_argument('--write', action='store_true')
    arguments = parser.parse_args()
    lines = [
        '| set | reviewed on | false alarms: size | lighting | images outside | with bare ranges '
        '| noticed: darkened | flat | thumbnails |',
        '|' + '---|' * 9,
    ]
    for name in SETS:
        of = facts(name, arguments.data)
        for size in SIZES:
            results = []
            for seed in range(DRAWS):
                order = np.random.default_rng(seed).permutation(len(of['as they are']))
                seen, new = order[:size], order[size : size + NEW]
                bounds = proposed(of['as they are'][seen])
                same = outside(of['as they are'][new], bounds)
                bare = np.stack([of['as they are'][seen].min(0), of['as they are'][seen].max(0)], 1)
                results.append(
                    (
                        same[:, :2].any(), same[:, 2:].any(), same.any(1).mean(),
                        outside(of['as they are'][new], bare).any(),
                        *(outside(of[change][new], bounds).any()
                          for change in ('darkened', 'flat', 'thumbnails')),
                    )
                )  # fmt: skip
            cells = [f'{share:.1%}' if i == 2 else f'{share:.0%}'
                     for i, share in enumerate(np.mean(results, 0))]  # fmt: skip
            lines.append(f'| {name} | {size} images | {" | ".join(cells)} |')
    table = '\n'.join(lines)
    text = (
        '# Ranges of a proposed schema\n\n'
        '`python -m benchmarks.schema_ranges --write`; what is measured and how is said in\n'
        f'[schema_ranges.py](schema_ranges.py).\n\n{table}\n'
    )
    print(text)
    if arguments.write:
        RESULTS.write_text(text, 'utf-8')


if __name__ == '__main__':
    main()
