"""`thawline report`: what a run's report says, in a form to pass on."""

from __future__ import annotations

import pathlib

import click

from thawline.components.shared.errors import ConfigError
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata.stores import opening
from thawline.pipeline.reports import lookup, markdown


def execute(project: Project, wanted: str, kind: str, out: pathlib.Path | None) -> None:
    """Writes the report of a run to a file, or prints it.

    Args:
        project: whose run it is.
        wanted: as `reports.find` takes it.
        kind: 'md', or one of `reports.FILES`.
        out: a file; None for standard output.

    Raises:
        ConfigError: there is no such run or report, or the file cannot be written.
    """
    found = lookup.find(opening.open_store(project), wanted, project.name)
    if kind == 'md':
        data = markdown.render(found.content).encode('utf-8')
    else:
        data = found.file(kind).read_bytes()
    if out is None:
        click.echo(data, nl=False)
        return
    save(out, data)
    click.echo(out)


def save(path: pathlib.Path, data: bytes) -> None:
    """Writes a file, its folder too.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise ConfigError(f'{path} cannot be written: {error.strerror}') from error
