"""`thawline bases`: which pretrained backbone suits these images."""

from __future__ import annotations

import datetime
import json
import pathlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
import rich.console

from thawline.components.shared import node_names, percentages
from thawline.components.shared.durations import duration
from thawline.components.shared.errors import ConfigError, NotFound
from thawline.pipeline.commands.arguments import PATH, project_argument
from thawline.pipeline.commands.logged_work import run_logged
from thawline.pipeline.terminal import exit_codes
from thawline.pipeline.terminal.console import say, spinner
from thawline.pipeline.terminal.exit_codes import Outcome

if TYPE_CHECKING:
    from thawline.pipeline.base_ranking.candidates import Candidate, MissingBase
    from thawline.pipeline.base_ranking.compare import BaseComparison, MeasuredBase
    from thawline.pipeline.base_ranking.ingested_images import IngestedImages
    from thawline.pipeline.config.config import Config
    from thawline.pipeline.config.project import Project


@click.command()
@project_argument
@click.option(
    '--images',
    metavar='N',
    default=1000,
    show_default=True,
    type=click.IntRange(20, 20_000),
    help='Use at most this many images of train, or of the folds.',
)
@click.option('--bases', 'names', metavar='NAME,NAME', help='Compare only these.')
@click.option('--sizes', metavar='128,224', help="Image sizes; default: each base's own.")
@click.option(
    '--weights',
    type=PATH,
    metavar='FOLDER',
    help='Also look here for weights under their Keras file names.',
)
@click.option('--download', is_flag=True, help='Let Keras download missing weights.')
def command(
    project: Project,
    images: int,
    names: str | None,
    sizes: str | None,
    weights: pathlib.Path | None,
    download: bool,
) -> None:
    """Rank pretrained backbones on your images by accuracy and cost.

    Takes minutes: it trains linear probes on the features of each backbone that has its weights on
    this machine.
    """
    from thawline.pipeline.base_ranking import compare

    if weights is not None and not weights.is_dir():
        raise ConfigError(f'--weights must be a folder with weights files; received {weights}')
    candidates, missing = compare.find_candidates(
        project, compare.parse_bases(names), compare.parse_sizes(sizes), weights, download
    )
    if not candidates:
        why = '\n'.join(f'  {item.backbone}: {item.reason}' for item in missing)
        raise NotFound(f'no weights of any of these bases on this machine\n{why}')
    exit_codes.leave(_rank(project, images, candidates, missing))


def _rank(
    project: Project, images: int, candidates: Sequence[Candidate], missing: Sequence[MissingBase]
) -> Outcome:
    from thawline.pipeline.base_ranking import compare, ingested_images
    from thawline.pipeline.commands import bases_table
    from thawline.pipeline.runners import run

    began = time.monotonic()
    ingested = ingested_images.find(project)
    if ingested is None:
        # Ingestion does not depend on the base; with random weights the run needs no weights file.
        options = run.RunOptions(last=(node_names.IMAGE_EXAMPLE_GEN,))
        outcome = run.execute(project.with_weights('random'), options)
        ingested = ingested_images.find(project)
        if outcome is not Outcome.BLESSED or ingested is None:
            return outcome or Outcome.CRASHED
    stamp = datetime.datetime.now().strftime('%Y%m%d-%H%M%S')

    def work(console: rich.console.Console) -> None:
        comparison = _measure(console, project.config, ingested, images, candidates, missing)
        bases_table.show(console, comparison, project.config)
        file = project.output / 'bases' / f'{stamp}.json'
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(compare.to_json(comparison, project.config), indent=1), 'utf-8')
        say(console, f'  time    {duration(time.monotonic() - began)}')
        say(console, f'  numbers {file}')

    return run_logged(project.logs / f'{stamp}-bases.log', work)


def _images(folds: int) -> str:
    """Which images are looked at."""
    if not folds:
        return 'training images; val and test are not used'
    return f'images of the {folds} folds; test is not used'


def _measure(
    console: rich.console.Console,
    config: Config,
    ingested: IngestedImages,
    count: int,
    candidates: Sequence[Candidate],
    missing: Sequence[MissingBase],
) -> BaseComparison:
    from thawline.pipeline.base_ranking import compare
    from thawline.pipeline.metadata.runs import NodeResult
    from thawline.pipeline.terminal import progress_display

    say(
        console,
        (config.name, 'bold'),
        f'  compares {", ".join(c.label for c in candidates)} and random weights on up to '
        f'{count:,} {_images(ingested.folds)}',
    )
    if ingested.folds:
        say(console, ('  they judge the model, too: a base that is chosen here has an edge', 'dim'))
    with spinner(console, 'starting TensorFlow'):
        from thawline.components.training import cross_validation
        from thawline.pipeline.base_ranking import images

    sample = images.load_sample(
        ingested.splits, count, config.training.seed, cross_validation.FOLDS
    )
    say(
        console,
        f'  images  {len(sample.images):,} of {sample.available:,}, {len(sample.classes)} classes',
    )
    width = max(17, *(len(c.label) for c in candidates))
    lines: dict[str, str] = {}
    display = progress_display.Display(console, lambda result: lines[result.node])

    def name(candidate: Candidate) -> str:
        label = 'random weights' if candidate.weights == 'random' else candidate.label
        return f'{label:<{width}}'

    def show(row: MeasuredBase, rest: Sequence[Candidate]) -> None:
        key, is_first = name(row.candidate), not lines
        lines[key] = (
            f'accuracy {percentages.percent(row.transfer.probe.share)}, '
            f'{row.cost.milliseconds:.1f} ms per image'
        )
        display.show_done(NodeResult(key, 'complete', {}, row.seconds))
        if is_first and rest:
            left = compare.seconds_left(row, len(sample.images), rest)
            say(console, (f'  about {duration(left)} for the other {len(rest)}', 'dim'))

    return compare.compare_bases(
        candidates, missing, sample, config.preprocessing.resize, config.training.seed,
        show, lambda candidate: display.show_running(name(candidate)),
    )  # fmt: skip
