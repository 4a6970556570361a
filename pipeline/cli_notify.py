"""The command `notify`. Imports are light, as in `cli`."""

from __future__ import annotations

import pathlib
import sys

import click

from thawline.pipeline.commands.arguments import config_argument


@click.command()
@config_argument
@click.option('--test', is_flag=True, help='Tell each target, and say what comes back.')
def notify(config: pathlib.Path | None, test: bool) -> None:
    """Lists whom a run tells how it ended, or tests whether they can be told."""
    from thawline.pipeline.commands import notify
    from thawline.pipeline.config import loading

    sys.exit(notify.execute(loading.load_project(config), test))


COMMANDS = (notify,)
