"""`thawline verify`: whether the files of models are still those that were judged and deployed."""

from __future__ import annotations

import collections
import dataclasses
import functools
import json
import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
import rich.console

from thawline.pipeline.commands.arguments import config_argument, is_project, load
from thawline.pipeline.terminal.console import say, spinner, wide_console
from thawline.pipeline.terminal.exit_codes import Outcome

if TYPE_CHECKING:
    from thawline.pipeline.registry.verification import VerifiedFolder

_MARKS = {
    'intact': ('✓ ', 'green'),
    'changed': ('✗ ', 'red'),
    'missing': ('✗ ', 'red'),
    'no record': ('- ', 'yellow'),
}


@click.command()
@click.argument('model', required=False, metavar='[MODEL]')
@config_argument
@click.option(
    '--format', 'kind', default='text', show_default=True, type=click.Choice(['text', 'json'])
)
def command(model: str | None, config: pathlib.Path | None, kind: str) -> None:
    """Check that the files of models are as they were judged and deployed.

    MODEL is `production` or `staging`, for the versions there, or any that `thawline promote`
    takes; without it, all models and stages are checked. The exit code is 2 where a file has
    changed, is missing or was added.
    """
    from thawline.pipeline.registry import access, verification

    if model and config is None and is_project(model):
        config, model = pathlib.Path(model), None
    console = wide_console(sys.stdout if kind == 'text' else sys.stderr)
    registry = access.open_to_read(load(config), functools.partial(say, console))
    with spinner(console, 'reading the files'):
        folders = list(verification.verify(registry, model))
    if kind == 'json':
        click.echo(json.dumps([dataclasses.asdict(folder) for folder in folders], indent=1))
    else:
        _print(console, folders)
    if any(folder.failed for folder in folders):
        sys.exit(Outcome.BAD_CONFIGURATION)


def _print(console: rich.console.Console, folders: Sequence[VerifiedFolder]) -> None:
    width = max((len(folder.form) for folder in folders), default=0)
    for model in dict.fromkeys(folder.model for folder in folders):
        say(console, f'model {model}' if model else 'of no known model')
        for folder in folders:
            if folder.model == model:
                line = f'{folder.form:{width}}  {folder.changes or folder.state}'
                say(console, '  ', _MARKS[folder.state], line)
    for folder in folders:
        if folder.failed:
            say(console, folder.folder)
            say(console, f'  {folder.state}; {folder.way_out}')
    say(console, *_summary(folders))


def _summary(folders: Sequence[VerifiedFolder]) -> tuple[str | tuple[str, str], ...]:
    """How many folders are what they were."""
    count = collections.Counter('failed' if folder.failed else folder.state for folder in folders)
    mark = _MARKS['changed' if count['failed'] else 'intact']
    line = f'{count["intact"]} of {len(folders)} folders as recorded'
    if count['failed']:
        line += f', {count["failed"]} changed or missing'
    if count['no record']:
        line += f', {count["no record"]} without a record, which cannot be checked'
    return mark, line
