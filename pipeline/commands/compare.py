"""`thawline compare`: two runs on the same images, as a page, in Markdown or in the terminal."""

from __future__ import annotations

import pathlib
import sys
import webbrowser
from collections.abc import Collection

import click
import rich.console

from thawline.components.evaluation import predictions
from thawline.components.report import content, formatting
from thawline.components.shared import percentages
from thawline.components.shared.errors import ConfigError
from thawline.components.statistics.proportions import Interval
from thawline.pipeline.commands import report
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata.stores import opening
from thawline.pipeline.reports import (
    comparison,
    comparison_markdown,
    comparison_page,
    comparison_wording,
    lookup,
)
from thawline.pipeline.reports.lookup import Found
from thawline.pipeline.system import log_redirect
from thawline.pipeline.terminal.console import say

FOLDER = 'comparisons'
LOG = 'compare.log'


def execute(project: Project, first: str, second: str, kind: str, browse: bool) -> None:
    """Compares two runs of a project and writes or prints what came of it.

    Args:
        project: whose runs they are.
        first, second: as `reports.find` takes them.
        kind: 'html' writes a page and says where it is, 'md' prints Markdown.
        browse: whether to open the page in a browser.

    Raises:
        ConfigError: a run or its report is missing, or the two have no image in common.
        DataError: predictions cannot be used.
    """
    store = opening.open_store(project)
    found = [lookup.find(store, wanted, project.name) for wanted in (first, second)]
    if found[0].run.id == found[1].run.id:
        raise ConfigError(f'A and B are the same run, {found[0].run.id}; give two')
    told = comparison.compare(*map(_side, found))
    if kind == 'md':
        click.echo(comparison_markdown.render(told).encode('utf-8'), nl=False)
        return
    path = project.output / FOLDER / f'{told.first}-{told.second}.html'
    wanted = {one.id for one in comparison_page.shown(told.flips)}
    page = comparison_page.render(told, thumbnails(found, wanted, project.logs / LOG))
    report.save(path, page.encode('utf-8'))
    _show(told, path)
    if browse:
        webbrowser.open(path.as_uri())


def _side(found: Found) -> comparison.Side:
    answers = predictions.read(str(found.inputs['evaluation']))
    return comparison.Side(found.run.id, answers, content.summary(found.content))


def _share(one: Interval) -> str:
    text = formatting.ABSENT if one.share is None else percentages.percent(one.share)
    return f'{text:>7}'


def _show(told: comparison.Comparison, path: pathlib.Path) -> None:
    console = rich.console.Console(file=sys.stdout)
    say(console, (comparison_wording.decision(told.together), 'bold'))
    say(console, comparison_wording.headline(told.together))
    for title, part in comparison_wording.accuracies(told):
        say(
            console,
            f'  {title:<10}  A {_share(part.first)}  B {_share(part.second)}  '
            f'{comparison_wording.difference(part.difference)}, 95 % interval '
            f'{comparison_wording.ends(part.difference)} ({comparison_wording.p_value(part)})',
        )
    say(console, f'  page        {path}')


def thumbnails(
    found: Collection[Found], wanted: Collection[str], log: pathlib.Path
) -> dict[str, str]:
    """Thumbnails by id of the image: those of the reports, others from the examples.

    Images that are no longer there are left out. What TensorFlow says goes to `log`.
    """
    there = {
        key: picture.thumbnail
        for one in found
        for key, picture in one.content.pictures.items()
        if key in wanted and picture.thumbnail
    }
    missing = set(wanted) - there.keys()
    folders = sorted({one.inputs['examples'] for one in found})
    files = [str(path) for folder in folders for path in sorted(folder.glob('Split-*/*'))]
    if not missing or not files:
        return there
    with log_redirect.redirect_output(log):
        # TensorFlow, which reads the examples, takes seconds to import.
        from thawline.components.report import pictures

        images = pictures.scan({'all': files}, missing).images
    return there | {key: pictures.thumbnail(image.encoded) for key, image in images.items()}
