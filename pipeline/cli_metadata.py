"""Commands about where runs are recorded. Imports are light, as in `cli`."""

from __future__ import annotations

import pathlib

import click

from thawline.pipeline.commands.arguments import config_argument


@click.group('metadata')
def metadata_() -> None:
    """Looks at the database that records runs, and moves records there."""


@metadata_.command()
@config_argument
@click.option('--create', is_flag=True, help='Make the database and its tables if need be.')
def check(config: pathlib.Path | None, create: bool) -> None:
    """Says where runs are recorded, and whether that can be reached and used."""
    from thawline.pipeline.commands import metadata
    from thawline.pipeline.config import loading

    metadata.check(loading.load_project(config), create)


@metadata_.command()
@config_argument
def migrate(config: pathlib.Path | None) -> None:
    """Copies the records of all runs from metadata.sqlite into the configured database.

    The database has to be empty; metadata.sqlite is left as it is.
    """
    from thawline.pipeline import migrate_command
    from thawline.pipeline.config import loading

    migrate_command.execute(loading.load_project(config))


COMMANDS = (metadata_,)
