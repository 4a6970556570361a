"""`thawline plan`: how likely a model passes the gate, before anything is labelled or trained."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
import rich.console

from thawline.components.shared import percentages
from thawline.components.shared.errors import ConfigError
from thawline.components.shared.text import counted
from thawline.pipeline.commands.arguments import config_argument, load
from thawline.pipeline.terminal.console import say

if TYPE_CHECKING:
    from thawline.components.ingestion.params import Split
    from thawline.components.ingestion.source_types import SourceItem
    from thawline.pipeline.config.project import Project
    from thawline.pipeline.planning.judges import Judges

_ABOVE = (0.02, 0.04, 0.06, 0.08, 0.10, 0.13, 0.16, 0.19)  # the threshold: accuracies to show
_BAR = 20  # columns
_CHANCES = 0.80, 0.95


class _Share(click.FloatRange):
    """A number between 0 and 1; percentages are not meant, but often written."""

    def __init__(self) -> None:
        super().__init__(0.0, 1.0, min_open=True, max_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = click.FLOAT.convert(value, param, ctx)
        if math.isnan(number):  # is in no range and out of none
            self.fail(f'{value} is no share; give one between 0 and 1, such as 0.90.', param, ctx)
        if 2 <= number < 100:
            right = f'write it as a share: {number / 100:g}'
            self.fail(f'{number:g} looks like a percentage; {right}.', param, ctx)
        return super().convert(value, param, ctx)


SHARE = _Share()


@click.command()
@config_argument
@click.option(
    '--images',
    type=click.IntRange(1, 1_000_000),
    metavar='N',
    help="Labelled images; default: the project's. Without one: how many it takes.",
)
@click.option(
    '--groups',
    type=click.IntRange(1, 1_000_000),
    metavar='G',
    help='Of how many patients, parts or places they are: a group counts as one image.',
)
@click.option(
    '--accuracy', type=SHARE, metavar='SHARE', help='What the model is right on, such as 0.90.'
)
@click.option(
    '--threshold', type=SHARE, metavar='SHARE', help="Default: the project's gate.val_accuracy."
)
@click.option(
    '--folds',
    metavar='auto|K|0',
    help="Default: the project's data.split.folds; 0 is one split.",
)
def command(
    config: pathlib.Path | None,
    images: int | None,
    groups: int | None,
    accuracy: float | None,
    threshold: float | None,
    folds: str | None,
) -> None:
    """Tell how likely a model passes the gate, before you label or train.

    With so many images and a model that is right on this share, the gate passes it with this
    chance. Without a project, as thawline init would write it.
    """
    from thawline.components.evaluation.gate.params import Gate
    from thawline.components.ingestion.params import Split
    from thawline.pipeline.config import loading
    from thawline.pipeline.planning import judges

    project = None
    if config is not None or pathlib.Path(loading.PROJECT_FILE).is_file():
        project = load(config)
    gate = project.config.gate if project else Gate()
    split = project.config.data.split if project else Split(folds='auto')
    if folds is not None:
        split = _with_folds(split, folds)
    wanted = gate.val_accuracy if threshold is None else threshold
    confidence = judges.confidence_of(gate)
    console = rich.console.Console()
    if gate.strictness == 'point':
        say(
            console,
            'note: gate.strictness is point, by which half of all models at the threshold pass; '
            'the numbers are those of bound',
        )
    if images is None and project is None:
        if groups is not None:
            raise ConfigError(
                f'--groups {groups:,}: say of how many images, such as --images {5 * groups}'
            )
        show_needed(console, split, wanted, accuracy, confidence)
        return
    if images is None:
        assert project is not None
        found = judges.judges_of_items(split, _labelled(project), groups)
    elif groups is None and gate.unit == 'group':
        raise ConfigError(
            f'gate.unit is group: say of how many groups the {images:,} images are, such as '
            f'--groups {max(1, images // 5)}'
        )
    else:
        found = judges.judges_of(split, [images], groups)
    show(console, found, wanted, accuracy, confidence)


def _with_folds(split: Split, folds: str) -> Split:
    import pydantic

    from thawline.components.ingestion.params import Split
    from thawline.pipeline.config.errors import explain

    number = int(folds) if folds.isdecimal() else folds
    try:
        return Split.model_validate({**split.model_dump(), 'folds': number})
    except pydantic.ValidationError as error:
        raise ConfigError(explain(error, Split, '--folds')) from error


def _labelled(project: Project) -> list[SourceItem]:
    """Labelled images, as the source lists them."""
    from thawline.components.ingestion import sources

    listing = sources.list_source(project.source_spec())
    items = [item for item in listing.items if item.label is not None]
    if not items:
        raise ConfigError(
            f'{project.config.data.source} lists no labelled image (TFRecords are counted when '
            'they are read): say how many, such as --images 100'
        )
    return items


def show(
    console: rich.console.Console,
    judges: Judges,
    threshold: float,
    accuracy: float | None,
    confidence: float,
) -> None:
    """Prints the answer, a table and what it takes for granted."""
    from thawline.components.statistics import proportions
    from thawline.pipeline.planning import power

    n = judges.judging
    how = f'all judge, in {judges.folds} folds' if judges.folds else f'{n:,} judge: one split'
    percent = percentages.percent
    say(console, (f'{counted(judges.labelled, judges.unit, judges.unit + "s")}, {how}; threshold '
                  f'{_accuracy(threshold)}', 'bold'))  # fmt: skip
    if accuracy is not None:
        passes = power.chance(n, accuracy, threshold, confidence)
        say(
            console,
            f'A model that is right on {_accuracy(accuracy)} passes with a chance of '
            f'{_chance(passes)}.',
        )
    least = [power.accuracy_for(share, n, threshold, confidence) for share in _CHANCES]
    if least[0] is None:
        needed = proportions.images_needed(1.0, threshold, confidence)
        say(
            console,
            f'No model can pass: not even {n:,} of {n:,} correct are enough; it takes {needed:,}.',
        )
    else:
        said = ', '.join(
            f'{percent(share, 0)} of cases from {_accuracy(value)} on'
            for share, value in zip(_CHANCES, least, strict=True)
            if value is not None
        )
        say(console, f'A model passes in {said}.')
    console.print()
    rows = [accuracy] if accuracy is not None else _accuracies(threshold)
    for line in table(rows, judges, threshold, confidence):
        console.print(line, highlight=False, soft_wrap=True)
    console.print()
    for line in _granted(judges):
        say(console, line)


def _accuracy(share: float) -> str:
    """With as many decimals as tell it from 100 %."""
    return percentages.apart(share, 1.0)[0]


def _chance(share: float) -> str:
    """Without decimals; certain is only what is."""
    if 0 < share < 0.005:
        return '<1 %'
    return '>99 %' if 0.995 <= share < 1 else percentages.percent(share, 0)


def _accuracies(threshold: float) -> list[float]:
    found = [round(threshold + above, 4) for above in _ABOVE if threshold + above < 0.995]
    return found or [(1 + threshold) / 2]


def table(
    accuracies: Sequence[float], judges: Judges, threshold: float, confidence: float
) -> list[str]:
    """A row an accuracy: the chance as a bar, that with one split, and images for more."""
    from thawline.pipeline.planning import power

    split = f'one split ({judges.by_split:,})' if judges.folds else ''
    lines = [
        f'{"right on":>8}  {f"passes, {judges.judging:,} judge":<{_BAR + 7}}  {split:>17}'
        f'  {"80 % from":>9}  {"95 % from":>9}'.rstrip()
    ]
    for accuracy in accuracies:
        passes = power.chance(judges.judging, accuracy, threshold, confidence)
        bar = '█' * round(passes * _BAR)
        other = ''
        if judges.folds:
            chance = power.chance(judges.by_split, accuracy, threshold, confidence)
            other = _chance(chance)
        needed = [power.images_for(share, accuracy, threshold, confidence) for share in _CHANCES]
        more = [_number(found, accuracy, threshold) for found in needed]
        lines.append(
            f'{_accuracy(accuracy):>8}  {_chance(passes):>5}'
            f'  {bar:<{_BAR}}  {other:>17}  {more[0]:>9}  {more[1]:>9}'
        )
    return lines


def _number(images: int | None, accuracy: float, threshold: float) -> str:
    from thawline.pipeline.planning import power

    if images is None:
        return 'never' if accuracy <= threshold else f'>{power.MOST:,}'
    return f'{images:,}'


def show_needed(
    console: rich.console.Console,
    split: Split,
    threshold: float,
    accuracy: float | None,
    confidence: float,
) -> None:
    """Prints how many labelled images it takes, in folds and in one split."""
    from thawline.pipeline.planning import judges, power

    shares = {'one split': split.val}
    if split.folds:
        shares = {'folds': 1 - split.test_with_folds, **shares}
    percent = percentages.percent
    say(console, (f'Labelled images to pass the threshold {_accuracy(threshold)}', 'bold'))
    console.print()
    heads = [f'{how}, {percent(chance, 0)}' for how in shares for chance in _CHANCES]
    lines = [f'{"right on":>8}' + ''.join(f'  {head:>15}' for head in heads)]
    for row in [accuracy] if accuracy is not None else _accuracies(threshold):
        judging = [power.images_for(chance, row, threshold, confidence) for chance in _CHANCES]
        found = [judges.labelled_for(n, share) for share in shares.values() for n in judging]
        numbers = [_number(number, row, threshold) for number in found]
        lines.append(f'{_accuracy(row):>8}' + ''.join(f'  {number:>15}' for number in numbers))
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)
    console.print()
    auto = ' (auto: of up to some 2,000 images)' if split.folds == 'auto' else ''
    folds = f'In folds{auto}, {percent(shares["folds"], 0)} of them judge. ' if split.folds else ''
    say(
        console,
        f'From so many on, a model passes with that chance. {folds}In one split, '
        f'{percent(split.val, 0)} do. Right on: as the models are that judge, which learn from '
        'fewer images than what ships. All images are taken as independent.',
    )
    say(console, 'next  with the number that you have: thawline plan --images 100')


def _granted(judges: Judges) -> list[str]:
    """What the numbers take for granted, and what to do next."""
    lines = []
    if judges.folds:
        lines.append(
            f'Right on: as the models are that judge, which learn from {judges.folds - 2} of '
            f'{judges.folds} folds; what ships has learned from all and is a little better.'
        )
    lines.append(
        f'The last columns: with so many {judges.unit}s that judge, it passes with that chance. '
        + (
            'A group counts as one image: its images are taken to be answered alike.'
            if judges.unit == 'group'
            else 'All are taken as independent; where several images show one thing, give --groups.'
        )
    )
    return lines
