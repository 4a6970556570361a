"""`thawline metadata migrate`: records move from SQLite to PostgreSQL."""

from __future__ import annotations

import os
import sys

from thawline.components.shared.errors import ConfigError
from thawline.pipeline.commands import registry_console
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata.stores import migration
from thawline.pipeline.registry import lock
from thawline.pipeline.system import file_locks
from thawline.pipeline.terminal.console import roomy_console, say

_SHOWN = ('Artifact', 'Execution', 'Context', 'Event')


def execute(project: Project) -> None:
    """Copies the records and says what was copied.

    Raises:
        ConfigError: they cannot be copied; the database is as it was then.
    """
    console = roomy_console(sys.stdout)

    def busy(process: str) -> ConfigError:
        return ConfigError(
            f'a run of this project is under way (process {process}); migrate when it has ended'
        )

    with (
        file_locks.lock(project.lock, str(os.getpid()), busy=busy),
        lock.held(project.promotions, 'metadata migrate'),
        registry_console.progress(console) as tell,
    ):
        moved = migration.migrate(project, lambda table, rows: tell(f'{table} {rows:,}', 0, 0))
    if not moved.rows:
        say(console, f'the records were in {moved.place} already, and are the same')
        return
    counted = ', '.join(f'{moved.rows[name]:,} {name.lower()}s' for name in _SHOWN)
    say(console, ('✓ ', 'green'), f'copied {counted} to {moved.place}')
    say(
        console, f'  compared  {sum(moved.rows.values()):,} rows of {len(moved.rows)} tables: equal'
    )
    say(console, '  numbers   as before, so that the cache, reports and models stay valid')
    say(console, f'  kept      {project.metadata}, which is not used any more')
