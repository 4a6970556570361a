"""The textbook's claims about transfer learning, with a few hundred images of flowers.

Claimed, of some hundred images of a handful of classes: from scratch overfits (train 95 %, val
60 %, hours); a frozen base has 0.85 after 5 epochs; fine-tuned, 0.91 after 10; 80 % on val takes
under 30 minutes.

- Per seed, 320 test and 320 val images are drawn (stratified, the same for all columns), and 100 or
  500 train images from the rest; with 500 that is every image. All competitors see the same ones.
  Thawline chooses by val, as it always does; the others do not use it.
- From scratch: MobileNetV2 at 128 px with random weights, all layers, Adam at 1e-3, a fixed number
  of epochs (BatchNorm momentum 0.9, because with the architecture's 0.999 a few hundred steps leave
  the statistics where they began and val at chance).
- Frozen, fine-tuned: the plain Keras recipe at 128 px (see `benchmarks.recipe`), its first 5 epochs
  and all 10.
- Thawline's probe and its full recipe: default settings, each base at its default size. The
  probe's seconds are until it was ready in the run of the full recipe.
- Train, val and test accuracy are of the final model on plain images, without dropout. Seconds
  start with decoded pixels in memory; building, compiling and embedding included. `80 % on val` is
  when the first epoch, or the probe, that had it was over.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools

import numpy as np

from benchmarks import images, recipes, report, thawline
from thawline.components.training import params

HELD = 320
BASES = ('mobilenet_v2', 'efficientnet_lite0')
CLAIMED = 0.80
COLUMNS = (
    'train images', 'recipe', 'seed', 'seconds', 'train accuracy', 'val accuracy', 'test accuracy',
    '80 % on val: s',
)  # fmt: skip


def probe_name(base: str) -> str:
    return f'Thawline, probe, {base}'


def full_name(base: str) -> str:
    return f'Thawline, {base}'


SCRATCH, FROZEN, TUNED = 'from scratch', 'base frozen', 'frozen, then fine-tuned'
ORDER = [SCRATCH, FROZEN, TUNED, *(name(b) for b in BASES for name in (probe_name, full_name))]
CLAIMS = {
    SCRATCH: 'train 0.95, val 0.60, hours',
    FROZEN: '0.85 after 5 epochs',
    TUNED: '0.91 after 10 epochs; 0.80 on val in under 30 minutes',
}


@dataclasses.dataclass(frozen=True)
class Line:
    """One model of one seed."""

    seconds: float
    train: float
    val: float
    test: float
    reached: float | None


def _plain(outcome: recipes.Outcome) -> Line:
    return Line(
        outcome.seconds,
        outcome.train,
        outcome.val,
        outcome.test,
        outcome.seconds_to(CLAIMED, 'val'),
    )


def measure(
    competitor: str,
    parts: dict[int, images.Parts],
    classes: tuple[str, ...],
    seed: int,
    arguments: argparse.Namespace,
) -> dict[str, Line]:
    """The lines that one competitor gives; `parts` are the images at every size."""
    small = parts[recipes.PLAIN_SIZE]
    weights = recipes.base('mobilenet_v2', arguments.shared).weights
    if competitor == SCRATCH:
        return {SCRATCH: _plain(recipes.scratch(small, len(classes), seed, arguments.epochs))}
    if competitor in (FROZEN, TUNED):
        phases = (recipes.FROZEN, recipes.TUNED)[: 1 if competitor == FROZEN else 2]
        found = recipes.plain(small, len(classes), weights, seed, phases, on_train=True)
        return {competitor: _plain(found)}
    base = recipes.base(competitor, arguments.shared, arguments.size)
    with report.narrated(f'seed {seed}, {competitor}'):
        thawed = thawline.run(
            base, parts[base.size], classes, params.Training(seed=seed), on_train=True
        )
    probe = thawed.probe
    at = probe.seconds if probe.val >= CLAIMED else None
    return {
        probe_name(competitor): Line(probe.seconds, thawed.probe_train, probe.val, probe.test, at),
        full_name(competitor): _plain(thawed),
    }


def rows(count: int, name: str, lines: dict[int, Line]) -> list[list[str]]:
    """A line a seed and their mean."""
    cells = [
        [
            str(count),
            name,
            str(seed),
            report.seconds(line.seconds),
            f'{line.train:.3f}',
            f'{line.val:.3f}',
            f'{line.test:.3f}',
            report.seconds(line.reached),
        ]
        for seed, line in lines.items()
    ]
    every = list(lines.values())
    reached = [line.reached for line in every if line.reached is not None]
    means = [report.mean([getattr(line, f) for line in every]) for f in ('train', 'val', 'test')]
    late = '' if len(reached) == len(every) else f' ({len(reached)} of {len(every)} seeds)'
    cells.append(
        [
            f'**{count}**',
            f'**{name}**',
            'mean',
            report.seconds(report.mean([line.seconds for line in every])),
            *(f'**{value:.3f}**' for value in means),
            (report.seconds(report.mean(reached)) if reached else 'never') + late,
        ]
    )
    return cells


def summary(results: dict[tuple[int, str], dict[int, Line]]) -> list[list[str]]:
    """Claims beside means."""
    return [
        [
            name,
            CLAIMS.get(name, ''),
            str(count),
            *(
                f'{report.mean([getattr(line, f) for line in lines.values()]):.3f}'
                for f in ('train', 'val', 'test')
            ),
            report.seconds(report.mean([line.seconds for line in lines.values()])),
        ]
        for (count, name), lines in results.items()
    ]


def _split(labels: np.ndarray, seed: int, count: int) -> images.Rows:
    held = min(HELD, len(labels) // 4)
    share = held / len(labels)
    whole = images.split(labels, seed, share, share)
    return dataclasses.replace(whole, train=images.sample(labels, whole.train, count, seed))


def main() -> None:
    """Runs all competitors for each number of images and each seed."""
    parser = report.parser(__doc__ or '', ('flowers5',))
    report.resumable(parser)
    parser.add_argument('--images', nargs='+', type=int, default=[100, 500], help='in train')
    parser.add_argument('--epochs', type=int, default=50, help='from scratch')
    parser.add_argument('--size', type=int, help="Thawline's image side; default: the base's own")
    arguments = parser.parse_args()
    if len(arguments.sets) > 1:
        parser.error('one set at a time')
    found = images.listed(arguments.sets[0], arguments.shared, arguments.limit)
    sizes = {recipes.base(b, arguments.shared, arguments.size).size for b in BASES}
    pixels = {size: found.pixels(size) for size in sizes | {recipes.PLAIN_SIZE}}
    competitors = (SCRATCH, FROZEN, TUNED, *BASES)

    def parts_of(seed: int, count: int) -> dict[int, images.Parts]:
        split = _split(found.labels, seed, count)
        return {
            size: images.parts(every, found.labels, split, found.confidence)
            for size, every in pixels.items()
        }

    written = report.Report(__file__, __doc__ or '', arguments)
    written.expect(len(arguments.images) * len(arguments.seeds) * len(competitors))
    measured = report.Measured(arguments)
    results: dict[tuple[int, str], dict[int, Line]] = {}
    pairs = [(seed, count) for seed in arguments.seeds for count in arguments.images]
    others = [(*pair, c) for pair in pairs for c in report.in_turn(competitors[1:], pair[0])]
    # From scratch takes most of the time: all else is there first.
    for seed, count, competitor in [*others, *((*pair, SCRATCH) for pair in pairs)]:
        report.say(f'{count} images, seed {seed}: {competitor}')
        parts = parts_of(seed, count)
        one = functools.partial(measure, competitor, parts, found.classes, seed, arguments)
        lines = measured.take((seed, count, competitor), one)
        for name, line in lines.items():
            results.setdefault((count, name), {})[seed] = line
            report.say(f'{name}: test {line.test:.3f}, {line.seconds:.0f} s')
        written.finished(f'{count} images, seed {seed}: {competitor}')
        results = dict(
            sorted(results.items(), key=lambda item: (item[0][0], ORDER.index(item[0][1])))
        )
        columns = ('recipe', 'claimed', 'train images', 'train', 'val', 'test', 'seconds')
        written.table('Claims and means over seeds', columns, summary(results))
        lines_of = [rows(n, name, of) for (n, name), of in results.items()]
        written.table('Each seed', COLUMNS, [line for of in lines_of for line in of])
    written.close()


if __name__ == '__main__':
    main()
