"""`thawline doctor`: the checks of the environment and of the metadata."""

from __future__ import annotations

import functools
import pathlib
import sys
from typing import TYPE_CHECKING

import click
import rich.console

from thawline.components.shared.errors import UserError
from thawline.pipeline.commands.arguments import config_argument
from thawline.pipeline.terminal.console import say

if TYPE_CHECKING:
    from thawline.pipeline.environment.checks import Check, Result

_MARKS = {'ok': ('✓ ', 'green'), 'warn': ('! ', 'yellow'), 'fail': ('✗ ', 'red')}


@click.command()
@config_argument
def command(config: pathlib.Path | None) -> None:
    """Check the environment and show how to fix what is wrong."""
    from thawline.pipeline.environment import checks
    from thawline.pipeline.environment.checks import Status

    path = config or pathlib.Path.cwd()
    console = rich.console.Console()
    results = checks.run(checks_of(path if path.is_dir() else path.parent))
    for result in results:
        say(console, _MARKS[result.status.value], (f'{result.name:<30}', 'bold'), result.detail)
        if result.remedy and result.status is not Status.OK:
            say(console, f'    {result.remedy}')
    failed, warned = (
        sum(result.status is status for result in results) for status in (Status.FAIL, Status.WARN)
    )
    counts = ((len(results) - failed - warned, 'passed'), (warned, 'warned'), (failed, 'failed'))
    verdict = ', '.join(f'{count} {outcome}' for count, outcome in counts if count)
    say(console, (f'{len(results)} checks: {verdict}', 'bold'))
    sys.exit(1 if failed else 0)


def checks_of(folder: pathlib.Path) -> list[Check]:
    """All checks for a project in `folder`, in the order to show."""
    from thawline.pipeline.environment import checks

    metadata = checks.Check('Metadata', functools.partial(check_metadata, folder))
    return [*checks.checks(folder), metadata]


def check_metadata(folder: pathlib.Path) -> Result:
    """Can the database that records the runs of the project in `folder` be reached?"""
    from thawline.pipeline.config import loading, project
    from thawline.pipeline.environment.checks import Result, Status
    from thawline.pipeline.metadata.stores import opening

    name, file = 'Metadata', folder / loading.PROJECT_FILE
    if not file.is_file():
        return Result(name, Status.OK, "SQLite, in the project's output")
    try:
        config = loading.parse(loading.read_file(file), str(file))
    except UserError as error:
        return Result(name, Status.WARN, f'not checked: {error}', 'Fix the configuration.')
    try:
        return Result(name, Status.OK, opening.describe_server(project.Project.of(config, folder)))
    except UserError as error:
        return Result(name, Status.FAIL, str(error), 'thawline metadata check')
