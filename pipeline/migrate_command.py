"""`thawline metadata migrate`: records move from SQLite to PostgreSQL."""

from __future__ import annotations

import os
import sys

from components.errors import ConfigError
from pipeline import display, locks
from pipeline.paths import Project
from pipeline.registry import lock, showing
from pipeline.stores import migration

_SHOWN = ('Artifact', 'Execution', 'Context', 'Event')


def execute(project: Project) -> None:
    """Copies the records and says what was copied.

    Raises:
        ConfigError: they cannot be copied; the database is as it was then.
    """
    console = display.roomy_console(sys.stdout)

    def busy(process: str) -> ConfigError:
        return ConfigError(
            f'a run of this project is under way (process {process}); migrate when it has ended'
        )

    with (
        locks.held(project.lock, str(os.getpid()), busy=busy),
        lock.held(project.promotions, 'metadata migrate'),
        showing.progress(console) as tell,
    ):
        moved = migration.migrate(project, lambda table, rows: tell(f'{table} {rows:,}', 0, 0))
    if not moved.rows:
        display.say(console, f'the records were in {moved.place} already, and are the same')
        return
    counted = ', '.join(f'{moved.rows[name]:,} {name.lower()}s' for name in _SHOWN)
    display.say(console, ('✓ ', 'green'), f'copied {counted} to {moved.place}')
    display.say(
        console, f'  compared  {sum(moved.rows.values()):,} rows of {len(moved.rows)} tables: equal'
    )
    display.say(console, '  numbers   as before, so that the cache, reports and models stay valid')
    display.say(console, f'  kept      {project.metadata}, which is not used any more')
