"""Thawline's recipe against the plain Keras recipe.

Same images, split (70/15/15, stratified, by the seed), base, weights and process; the order
alternates by seed. Both start from decoded pixels in memory at their own size; building, compiling
and embedding are on their side. Seconds are wall-clock.

- The plain recipe is what the transfer learning tutorials teach: MobileNetV2 at 128 px, frozen,
  with a dense layer of 128 and dropout 0.3, 5 epochs of Adam at 1e-3; then the layers from index
  100 on are thawed, 5 epochs of Adam at 1e-5. It keeps its last weights and does not use val.
- Thawline has its default settings, at the base's default size, and uses val as it always does.
- "Caught up" is when Thawline first had a model with at least the plain recipe's final test
  accuracy: the probe, else the model after an epoch, else what is kept. Seconds from the very
  start, as a share of the plain recipe's seconds. Test chooses nothing here but this moment.
- The bare forward pass over the training images once, at both sizes, is a measure of the machine.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools

import numpy as np

from benchmarks import images, recipes, report, thawline
from thawline.components.training import params

BACKBONE = 'mobilenet_v2'
COLUMNS = (
    'set', 'seed', 'plain: test accuracy', 'plain: s', 'probe: test accuracy', 'probe ready: s',
    'Thawline: test accuracy', 'Thawline: s', 'kept', 'gain, points', 'time ratio', 'caught up: s',
    'caught up: time ratio', 'bare forward: s',
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Result:
    """One seed of one set."""

    plain: recipes.Outcome
    thawed: thawline.Thawed
    forward: tuple[float, float]  # at the plain recipe's size and at Thawline's

    @property
    def caught_up(self) -> float | None:
        """Seconds until Thawline had the plain recipe's test accuracy."""
        return self.thawed.seconds_to(self.plain.test, 'test')


def measure(
    found: images.Listed,
    pixels: dict[int, np.ndarray],
    seed: int,
    base: recipes.Base,
    arguments: argparse.Namespace,
) -> Result:
    """Both competitors on one split; `pixels` are all images at both sizes."""
    rows = images.split(found.labels, seed)
    small = images.parts(pixels[recipes.PLAIN_SIZE], found.labels, rows, found.confidence)
    own = images.parts(pixels[base.size], found.labels, rows, found.confidence)
    plain_base = dataclasses.replace(base, size=recipes.PLAIN_SIZE)
    forward = (
        recipes.forward_seconds(plain_base, small.train),
        recipes.forward_seconds(base, own.train),
    )
    plain: recipes.Outcome | None = None
    thawed: thawline.Thawed | None = None
    for competitor in report.in_turn(('plain', 'Thawline'), seed):
        report.say(f'{found.name}, seed {seed}: {competitor}')
        if competitor == 'plain':
            plain = recipes.plain(
                small,
                len(found.classes),
                base.weights,
                seed,
                stored_statistics=arguments.stored_statistics,
            )
        else:
            with report.narrated(f'{found.name}, seed {seed}'):
                thawed = thawline.run(base, own, found.classes, params.Training(seed=seed))
    assert plain is not None and thawed is not None
    return Result(plain, thawed, forward)


def row(name: str, seed: int, one: Result) -> list[str]:
    """The line of one seed."""
    plain, thawed, caught = one.plain, one.thawed, one.caught_up
    return [
        name,
        str(seed),
        f'{plain.test:.3f}',
        report.seconds(plain.seconds),
        f'{thawed.probe.test:.3f}',
        report.seconds(thawed.probe.seconds),
        f'{thawed.test:.3f}',
        report.seconds(thawed.seconds),
        thawed.kept,
        f'{100 * (thawed.test - plain.test):+.1f}',
        f'{thawed.seconds / plain.seconds:.2f}',
        report.seconds(caught),
        'never' if caught is None else f'{caught / plain.seconds:.2f}',
        f'{one.forward[0]:.1f} / {one.forward[1]:.1f}',
    ]


def mean_row(name: str, results: list[Result]) -> list[str]:
    """The line of a set: means of each column; ratios are of the means."""
    mean = report.mean
    plain = [one.plain.test for one in results]
    plain_seconds = mean([one.plain.seconds for one in results])
    seconds = mean([one.thawed.seconds for one in results])
    thawed = [one.thawed.test for one in results]
    caught = [one.caught_up for one in results]
    reached = [at for at in caught if at is not None]
    all_caught = mean(reached) if len(reached) == len(caught) else None
    return [
        f'**{name}**',
        'mean',
        f'{mean(plain):.3f}',
        report.seconds(plain_seconds),
        f'{mean([one.thawed.probe.test for one in results]):.3f}',
        report.seconds(mean([one.thawed.probe.seconds for one in results])),
        f'{mean(thawed):.3f}',
        report.seconds(seconds),
        '',
        f'**{100 * (mean(thawed) - mean(plain)):+.1f}**',
        f'{seconds / plain_seconds:.2f}',
        report.seconds(all_caught) if all_caught else f'{len(reached)} of {len(caught)} seeds',
        f'**{all_caught / plain_seconds:.2f}**' if all_caught else '',
        ' / '.join(f'{mean([one.forward[i] for one in results]):.1f}' for i in range(2)),
    ]


def main() -> None:
    """Runs both on each seed of each set."""
    parser = report.parser(__doc__ or '', images.SETS)
    report.resumable(parser)
    parser.add_argument('--size', type=int, help="Thawline's image side; default: the base's own")
    parser.add_argument(
        '--stored-statistics',
        action='store_true',
        help='plain recipe: never leave inference mode in BatchNorm, as its training=False means '
        'and Keras 3.15 overrides',
    )
    arguments = parser.parse_args()
    base = recipes.base(BACKBONE, arguments.shared, arguments.size)
    written = report.Report(__file__, __doc__ or '', arguments)
    written.expect(len(arguments.sets) * len(arguments.seeds))
    measured = report.Measured(arguments)
    rows: list[list[str]] = []
    for name in arguments.sets:
        found = images.listed(name, arguments.shared, arguments.limit)
        pixels = {size: found.pixels(size) for size in {recipes.PLAIN_SIZE, base.size}}
        results: list[Result] = []
        for seed in arguments.seeds:
            one = functools.partial(measure, found, pixels, seed, base, arguments)
            results.append(measured.take((name, seed), one))
            rows.append(row(name, seed, results[-1]))
            written.finished(' | '.join(rows[-1]))
            written.table('Results', COLUMNS, [*rows, mean_row(name, results)])
        rows.append(mean_row(name, results))
    written.close()


if __name__ == '__main__':
    main()
