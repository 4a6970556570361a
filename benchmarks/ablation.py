"""What each part of the recipe gains: the default settings with one change at a time.

- Each change runs on the same split (70/15/15, stratified, by the seed), the same base and the same
  seed as the default. Changes that are the default are left out. `test accuracy` is what Thawline
  keeps; `thawed` the best epoch of fine-tuning, kept or not; `probe` the head on the frozen base.
- Differences to the default, in points, are paired: mean over the seeds of `change - default` on
  the same test images, ± its standard error over seeds (over sets and seeds in the table of all
  sets). A part gains what its removal loses: the defaults are good where differences are negative.
- `time ratio` is seconds from decoded pixels in memory to the model that is kept, by those of the
  default. Features that a change does not touch are computed once a seed; their seconds count each
  time as if they had been computed anew.
- `no interpolation`: the better of probe and thawed on val, without weights between them; read off
  the default's run. `random head`: fine-tuning that starts from a new head, not from the probe's
  (no LP-FT), with augmentation `standard`, since `auto` looks with a trained head; nothing is
  chosen after it, so that only `thawed` compares.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import math
import pathlib
import tempfile
import time
from typing import Any

import keras
import yaml

from benchmarks import images, recipes, report, thawline
from thawline.components import backbones
from thawline.components.backbones import classifier as model
from thawline.components.embedding.embeddings import EmbeddingSettings
from thawline.components.embedding.params import Embedding
from thawline.components.training import checkpoint, fine_tune, params, scores

DEFAULT, NO_INTERPOLATION, RANDOM_HEAD = 'default', 'no interpolation', 'random head'
# One change each: a setting as in thawline.yaml, or several where one needs another.
CHANGES = tuple(
    f'{setting}={value}'
    for setting, values in (
        ('embedding.features', ('top', 'blocks')),
        ('embedding.views', (0, 1, 3)),
        ('training.fine_tune.blocks', (4, 10, 'all')),
        ('training.fine_tune.stages', (1, 3)),
        ('training.fine_tune.block_decay', (0.8, 1.0)),
        ('training.fine_tune.average', (0.0, 0.9, 0.98)),
        ('training.fine_tune.mix', ('none', 'mixup', 'cutmix')),
        ('training.fine_tune.label_smoothing', (0.0, 0.1)),
        ('training.fine_tune.dropout', (0.0, 0.2)),
        ('training.fine_tune.batch_norm', ('frozen', 'affine', 'updated')),
        ('training.augmentation', ('none', 'flip', 'light', 'standard', 'strong')),
        ('training.class_weights', ('none', 'balanced')),
        ('training.fine_tune.start_resolution', (0.6, 0.75)),
        ('training.fine_tune.end_resolution', (0.8,)),
        ('training.fine_tune.blocks=4, training.fine_tune.cached_views', (2, 6)),
    )
    for value in values
)
COLUMNS = (
    'change', 'runs', 'test accuracy', 'difference, points', 'thawed: difference',
    'probe: difference', 'time ratio', 'seconds',
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Result:
    """Test accuracies and seconds of one run; NaN where a change has no such model."""

    test: float
    thawed: float
    probe: float
    seconds: float


Results = dict[str, dict[tuple[str, int], Result]]  # change -> (set, seed) -> result


def settings_of(change: str, seed: int) -> tuple[params.Training, Embedding]:
    """The default settings with one change: 'path.of.setting=value', or none.

    Settings that go together are joined by ', '.

    Raises:
        ValueError: there is no such setting, or not that value.
    """
    raw: dict[str, Any] = {'training': {'seed': seed}, 'embedding': {}}
    for setting in change.split(', '):
        path, _, value = setting.partition('=')
        if value:
            *parents, name = path.split('.')
            place = raw
            for parent in parents:
                place = place.setdefault(parent, {})
            place[name] = yaml.safe_load(value)
    if set(raw) != {'training', 'embedding'}:
        raise ValueError(f'a change starts with training. or embedding. Received: {change!r}')
    return params.Training.model_validate(raw['training']), Embedding.model_validate(
        raw['embedding']
    )


def random_head(
    base: recipes.Base, parts: images.Parts, classes: int, training: params.Training
) -> Result:
    """Fine-tuning as the recipe does it, from a new head."""
    recipes.fresh(training.seed)
    started = time.monotonic()
    backbone = backbones.build(base.name, base.size, base.weights)
    updated = training.fine_tune.batch_norm == 'updated'
    classifier = model.build(
        backbone,
        Embedding().features,
        classes,
        training.fine_tune.dropout,
        training.seed,
        updated_statistics=updated,
    )
    keras.utils.set_random_seed(training.seed)
    with tempfile.TemporaryDirectory() as folder:
        kept = checkpoint.CheckpointFile(pathlib.Path(folder), 'benchmark')
        fine_tune.run(classifier, parts.train, parts.val, training, kept, lambda epoch: None)
    passed = time.monotonic() - started
    test = scores.score(classifier.predict(parts.test.values), parts.test.labels).accuracy
    return Result(math.nan, test, math.nan, passed)


def measure(
    change: str,
    base: recipes.Base,
    parts: images.Parts,
    classes: tuple[str, ...],
    seed: int,
    known: dict[EmbeddingSettings, thawline.Embedded],
) -> dict[str, Result]:
    """One change; the default's run also answers for no interpolation."""
    if change == RANDOM_HEAD:
        training = settings_of('training.augmentation=standard', seed)[0]
        return {change: random_head(base, parts, len(classes), training)}
    run = thawline.run(base, parts, classes, *settings_of(change, seed), known=known)
    found = {change: Result(run.test, run.tuned_test, run.probe.test, run.seconds)}
    if change == DEFAULT:
        found[NO_INTERPOLATION] = Result(run.either_test, math.nan, math.nan, math.nan)
    return found


def rows(results: Results, name: str | None) -> list[list[str]]:
    """The table of one set, or of all; only runs whose default is there too count."""
    table = []
    for change, runs in results.items():
        keys = [k for k in runs if k in results.get(DEFAULT, {}) and name in (None, k[0])]
        if not keys:
            continue
        pairs = [(runs[key], results[DEFAULT][key]) for key in keys]

        def difference(field: str, pairs: list[tuple[Result, Result]] = pairs) -> str:
            values = [100 * (getattr(one, field) - getattr(other, field)) for one, other in pairs]
            return '' if any(map(math.isnan, values)) else report.with_error(values, '+.1f')

        test = report.mean([one.test for one, _ in pairs])
        spent, usual = (report.mean([pair[i].seconds for pair in pairs]) for i in range(2))
        timed = not math.isnan(spent)
        table.append(
            [
                f'**{change}**' if change == DEFAULT else f'`{change}`',
                str(len(keys)),
                '' if math.isnan(test) else f'{test:.3f}',
                *(
                    '' if change == DEFAULT else difference(field)
                    for field in ('test', 'thawed', 'probe')
                ),
                f'{spent / usual:.2f}' if timed else '',
                report.seconds(spent) if timed else '',
            ]
        )
    return table


def _arguments() -> argparse.Namespace:
    parser = report.parser(__doc__ or '', ('flowers5', 'trashnet', 'hymenoptera'))
    report.resumable(parser)
    parser.add_argument('--backbone', default='mobilenet_v2')
    parser.add_argument('--size', type=int, help="image side; default: the base's own")
    parser.add_argument(
        '--changes',
        nargs='+',
        default=[*CHANGES, RANDOM_HEAD],
        help='such as training.fine_tune.blocks=4, or "random head"; default: a list of one or two '
        'other values of every part',
    )
    arguments = parser.parse_args()
    usual = settings_of(DEFAULT, 0)
    try:
        arguments.changes = [
            change
            for change in dict.fromkeys(arguments.changes)
            if change == RANDOM_HEAD or settings_of(change, 0) != usual
        ]
    except ValueError as error:
        parser.error(str(error))
    return arguments


def main() -> None:
    """Runs the default and every change for each set and seed."""
    arguments = _arguments()
    base = recipes.base(arguments.backbone, arguments.shared, arguments.size)
    results: Results = {change: {} for change in (DEFAULT, NO_INTERPOLATION, *arguments.changes)}
    written = report.Report(__file__, __doc__ or '', arguments)
    written.expect(len(arguments.sets) * len(arguments.seeds) * (1 + len(arguments.changes)))
    training, embedding = settings_of(DEFAULT, 0)
    below = (
        f'{base.name}, {base.size} px. Default: `{training.model_dump_json(exclude={"seed"})}`, '
        f'embedding `{embedding.model_dump_json()}`.'
    )
    measured = report.Measured(arguments)
    sets = {n: images.listed(n, arguments.shared, arguments.limit) for n in arguments.sets}
    pixels = {name: found.pixels(base.size) for name, found in sets.items()}
    # A seed of all sets, then the next: what is stopped early says something of all sets.
    for seed in arguments.seeds:
        for name, found in sets.items():
            split = images.split(found.labels, seed)
            parts = images.parts(pixels[name], found.labels, split, found.confidence)
            known: dict[EmbeddingSettings, thawline.Embedded] = {}
            # The default first, so that a killed run has something to compare with.
            for change in (DEFAULT, *report.in_turn(arguments.changes, seed)):
                with report.narrated(f'{name}, seed {seed}, {change}'):
                    lines = measured.take(
                        (name, seed, change),
                        functools.partial(measure, change, base, parts, found.classes, seed, known),
                    )
                for line, result in lines.items():
                    results[line][name, seed] = result
                result = lines[change]
                written.finished(
                    f'{name}, seed {seed}, {change}: kept {result.test:.3f}, thawed '
                    f'{result.thawed:.3f}, probe {result.probe:.3f}, {result.seconds:.0f} s'
                )
                written.table('All sets', COLUMNS, rows(results, None), below)
                if len(arguments.sets) > 1:
                    written.table(name, COLUMNS, rows(results, name))
    written.close()


if __name__ == '__main__':
    main()
