"""`thawline report`: the report of a run, in a form to pass on."""

from __future__ import annotations

import pathlib

import click

from thawline.components.shared.errors import from_os_error
from thawline.pipeline.commands.arguments import (
    PATH,
    config_argument,
    run_and_project,
    run_argument,
)
from thawline.pipeline.terminal.console import echo


@click.command()
@run_argument
@config_argument
@click.option(
    '--format', 'kind', default='md', show_default=True, type=click.Choice(['md', 'html', 'json'])
)
@click.option('--out', type=PATH, metavar='FILE', help='Write to this file instead of printing.')
def command(run: str, config: pathlib.Path | None, kind: str, out: pathlib.Path | None) -> None:
    """Print the report of a run as Markdown, HTML or JSON.

    RUN is a run id from `thawline runs`, the start of one, or `last`. The Markdown fits a pull
    request.
    """
    from thawline.pipeline.metadata.stores import opening
    from thawline.pipeline.reports import lookup, markdown

    run, project = run_and_project(run, config)
    report = lookup.find_report(opening.open_store(project), run, project.name)
    if kind == 'md':
        data = markdown.render(report.content).encode('utf-8')
    else:
        data = report.file(kind).read_bytes()
    if out is None:
        click.echo(data, nl=False)
        return
    save(out, data)
    echo(out)


def save(path: pathlib.Path, data: bytes) -> None:
    """Writes a file and its folder.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise from_os_error(error, f'cannot write {path}') from error
