"""Solar cells: the default project's settings against a published fine-tuned network.

Photovoltaic cells in electroluminescence images, 2,624 of them (Deitsch et al., "Automatic
classification of defective photovoltaic module cells in electroluminescence images", Solar Energy
2019; package elpv-dataset). Published there on a 75/25 split: 88.42 % for a fine-tuned VGG19.

- Label rule: defective where the annotated probability of a defect is above 0.5.
- Split by the seed, stratified by label: 25 % test, as published; of the other 75 %, a fifth is
  val, which chooses, and four fifths are train. Nothing is refitted on both. The published split
  itself is not at hand, so the test images are others of the same set.
- Base, image size, features and training are those of `pipeline/presets/solar_cells.yaml`, read
  from that file; its seed is replaced.
- `fine-tuned` is the best epoch on the image alone; `kept` is what is served, which averages over
  mirrored views (`training.test_time_augmentation`).
- Seconds are from decoded pixels in memory to the model that is kept, everything included.
"""

from __future__ import annotations

import dataclasses

from benchmarks import images, recipes, report, thawline
from thawline.pipeline.config import loading

PRESET = 'solar_cells'
PUBLISHED = 0.8842
TEST, VAL = 0.25, 0.15  # of all images
COLUMNS = (
    'seed', 'probe: test accuracy', 'probe ready: s', 'fine-tuned: test accuracy',
    'kept: val accuracy', 'kept: test accuracy', 'kept', 'seconds', 'against 88.42 %, points',
)  # fmt: skip


def row(seed: str, results: list[thawline.Thawed]) -> list[str]:
    """One seed, or the mean of several."""
    mean = report.mean
    test = [one.test for one in results]
    return [
        seed,
        f'{mean([one.probe.test for one in results]):.4f}',
        report.seconds(mean([one.probe.seconds for one in results])),
        f'{mean([one.tuned_test for one in results]):.4f}',
        f'{mean([one.val for one in results]):.4f}',
        f'{test[0]:.4f}' if len(test) == 1 else f'**{report.with_error(test, ".4f")}**',
        results[0].kept if len(results) == 1 else '',
        report.seconds(mean([one.seconds for one in results])),
        f'{100 * (mean(test) - PUBLISHED):+.2f}',
    ]


def main() -> None:
    """Runs the recipe on each seed."""
    parser = report.parser(__doc__ or '', (images.SOLAR,))
    parser.add_argument('--size', type=int, help="image side; default: the preset's")
    arguments = parser.parse_args()
    if arguments.sets != [images.SOLAR]:
        parser.error(f'this is about {images.SOLAR} alone')
    preset = loading.parse(loading.read_preset(PRESET), PRESET)
    size = arguments.size or preset.image_size
    base = recipes.base(preset.model.backbone, arguments.shared, size)
    base = dataclasses.replace(base, weights=preset.model.weights)
    found = images.listed(images.SOLAR, arguments.shared, arguments.limit)
    pixels = found.pixels(base.size)
    written = report.Report(__file__, __doc__ or '', arguments)
    written.expect(len(arguments.seeds))
    rows: list[list[str]] = []
    results: list[thawline.Thawed] = []
    for seed in arguments.seeds:
        split = images.split(found.labels, seed, VAL, TEST)
        parts = images.parts(pixels, found.labels, split, found.confidence)
        training = preset.training.model_copy(update={'seed': seed})
        with report.narrated(f'seed {seed}'):
            results.append(thawline.run(base, parts, found.classes, training, preset.embedding))
        rows.append(row(str(seed), results[-1:]))
        counts = ', '.join(
            f'{len(part)} {name}'
            for name, part in (('train', parts.train), ('val', parts.val), ('test', parts.test))
        )
        below = (
            f'{base.name}, {base.size} px; {counts} images. After ± stands the standard error of '
            f'the mean over seeds.\n\nSettings: `{training.model_dump_json(exclude={"seed"})}`, '
            f'embedding `{preset.embedding.model_dump_json()}`.'
        )
        written.finished(' | '.join(rows[-1]))
        every = [*rows, row('**mean**', results)] if len(results) > 1 else rows
        written.table('Results', COLUMNS, every, below)
    written.close()


if __name__ == '__main__':
    main()
