"""`thawline compare`: two runs on the same images, as a page or in Markdown."""

from __future__ import annotations

import pathlib
import sys
import webbrowser
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import click
import rich.console

from thawline.components.shared.errors import ConfigError
from thawline.pipeline.commands import report
from thawline.pipeline.commands.arguments import project_argument
from thawline.pipeline.terminal.console import say

if TYPE_CHECKING:
    import ml_metadata as mlmd

    from thawline.pipeline.config.project import Project
    from thawline.pipeline.reports.compared_run import ComparedRun
    from thawline.pipeline.reports.comparison import Comparison
    from thawline.pipeline.reports.lookup import StoredReport

FOLDER = 'comparisons'
LOG = 'compare.log'


@click.command()
@click.argument('first', metavar='A')
@click.argument('second', metavar='B')
@project_argument
@click.option(
    '--format', 'kind', default='html', show_default=True, type=click.Choice(['html', 'md'])
)
@click.option('--open', 'browse', is_flag=True, help='Open the page in the browser.')
def command(project: Project, first: str, second: str, kind: str, browse: bool) -> None:
    """Compare run B with run A, judged as the gate does.

    Only images that neither model has seen say which one is better. A and B are run ids from
    `thawline runs`, the start of one, or `last`. html writes a page and prints its path; md prints
    Markdown.
    """
    from thawline.pipeline.metadata.stores import opening
    from thawline.pipeline.reports import comparison, comparison_page, lookup, markdown

    store = opening.open_store(project)
    reports = [lookup.find_report(store, run, project.name) for run in (first, second)]
    if reports[0].run.id == reports[1].run.id:
        raise ConfigError(f'A and B are the same run, {reports[0].run.id}; name two runs')
    result = comparison.compare(*(_compared_run(store, stored) for stored in reports))
    if kind == 'md':
        click.echo(markdown.render_comparison(result).encode('utf-8'), nl=False)
        return
    path = project.output / FOLDER / f'{result.first}-{result.second}.html'
    images = {flip.id for flip in comparison_page.shown_flips(result.flips)}
    page = comparison_page.render(result, thumbnails(reports, images, project.logs / LOG))
    report.save(path, page.encode('utf-8'))
    _print(result, path, *(report.content.classes for report in reports))
    if browse:
        webbrowser.open(path.as_uri())


def _compared_run(store: mlmd.MetadataStore, stored: StoredReport) -> ComparedRun:
    from thawline.pipeline.reports import compared_run

    content = stored.content
    return compared_run.read(
        store,
        stored.run.id,
        stored.inputs['evaluation'],
        content.project,
        content.verdict,
        content.facts,
        content.serving_problems,
        max((results.folds for results in content.splits.values()), default=0),
    )


def _print(
    result: Comparison, path: pathlib.Path, first: Sequence[str], second: Sequence[str]
) -> None:
    from thawline.pipeline.reports import comparison_summary

    console = rich.console.Console(file=sys.stdout)
    say(console, (comparison_summary.headline(result), 'bold'))
    for line in comparison_summary.class_lines(first, second):
        say(console, (line, 'bold yellow'))
    for line in comparison_summary.accuracy_lines(result):
        say(console, f'  {line}')
    say(console, f'  page        {path}')


def thumbnails(
    reports: Collection[StoredReport], images: Collection[str], log: pathlib.Path
) -> dict[str, str]:
    """Thumbnails by id of the image, from the reports or else from the examples.

    Images that no longer exist are left out. TensorFlow's messages go to `log`.
    """
    known = {
        key: picture.thumbnail
        for report in reports
        for key, picture in report.content.pictures.items()
        if key in images and picture.thumbnail
    }
    missing = set(images) - known.keys()
    folders = sorted({pathlib.Path(report.inputs['examples'].uri) for report in reports})
    files = [str(path) for folder in folders for path in sorted(folder.glob('Split-*/*'))]
    if not missing or not files:
        return known
    from thawline.pipeline.system import log_redirect

    with log_redirect.redirect_output(log):
        from thawline.components.report import pictures

        scanned = pictures.scan_examples({'all': files}, missing).images
    return known | {key: pictures.thumbnail(image.encoded) for key, image in scanned.items()}
