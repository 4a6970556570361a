"""Shows what the doctor found."""

from __future__ import annotations

import functools
import pathlib

import rich.console
import rich.text

from thawline.components.shared.errors import UserError
from thawline.pipeline.environment import checks
from thawline.pipeline.environment.checks import Check, Result, Status

_MARKS = {
    checks.Status.OK: ('✓', 'green'),
    checks.Status.WARN: ('!', 'yellow'),
    checks.Status.FAIL: ('✗', 'red'),
}


def show(config: pathlib.Path | None) -> int:
    """Prints one line a check and how to mend what is not sound; 0, or 1 when a check failed."""
    path = config or pathlib.Path.cwd()
    folder = path if path.is_dir() else path.parent
    console = rich.console.Console()
    results = checks.run(checks_of(folder))
    for result in results:
        mark, colour = _MARKS[result.status]
        line = rich.text.Text.assemble(
            (f'{mark} ', colour), (f'{result.name:<30}', 'bold'), result.found
        )
        console.print(line, highlight=False, soft_wrap=True)
        if result.remedy and result.status is not checks.Status.OK:
            console.print(f'    {result.remedy}', highlight=False, markup=False, soft_wrap=True)
    failed = sum(result.status is checks.Status.FAIL for result in results)
    warned = sum(result.status is checks.Status.WARN for result in results)
    words = (
        'the environment is sound' if not failed else f'{failed} of {len(results)} checks failed'
    )
    console.print(
        words + (f', {warned} to look at' if warned else ''), style='bold', highlight=False
    )
    return 1 if failed else 0


def checks_of(folder: pathlib.Path) -> list[Check]:
    """All checks for a project in `folder`, in the order to show."""
    return [
        *checks.checks(folder),
        Check('Metadata', functools.partial(check_metadata, folder)),
    ]


def check_metadata(folder: pathlib.Path) -> Result:
    """Can the place be reached where the project in `folder` has its runs recorded?"""
    from thawline.pipeline.config import loading, project
    from thawline.pipeline.metadata.stores import opening

    name, file = 'Metadata', folder / loading.PROJECT_FILE
    if not file.is_file():
        return Result(name, Status.OK, "SQLite, among a project's runs")
    try:
        parsed = loading.parse(loading.read_file(file), str(file))
    except UserError as error:
        return Result(name, Status.WARN, f'cannot be told: {error}', 'Mend the configuration.')
    try:
        return Result(name, Status.OK, opening.reached(project.Project.of(parsed, folder)))
    except UserError as error:
        return Result(name, Status.FAIL, str(error), 'thawline metadata check')
