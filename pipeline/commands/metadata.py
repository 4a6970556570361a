"""`thawline metadata`: the database that records runs; whether it works, and the move to it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from thawline.components.shared.errors import Busy
from thawline.pipeline.commands import registry_console
from thawline.pipeline.commands.arguments import project_argument
from thawline.pipeline.terminal.console import say, wide_console

if TYPE_CHECKING:
    from thawline.pipeline.config.project import Project

_COUNTED = ('Artifact', 'Execution', 'Context', 'Event')


@click.group()
def command() -> None:
    """Check or migrate the database that records runs."""


@command.command()
@project_argument
@click.option('--create', is_flag=True, help='Create the database and its tables if missing.')
def check(project: Project, create: bool) -> None:
    """Show where runs are recorded, and whether it can be reached and used."""
    from thawline.pipeline.metadata import runs
    from thawline.pipeline.metadata.stores import connection, opening, ownership

    console = wide_console(sys.stdout)
    config = opening.connection_config(project)
    say(console, f'runs of {project.name} are recorded in {connection.display_name(config)}')
    if project.postgresql is None:
        ownership.check_file(project.output)
        store = opening.find_store(project)
        count = len(runs.read_runs(store, project.name)) if store else 0
        say(console, f'  runs      {count:,}' if store else '  no run yet')
        return
    from thawline.pipeline.metadata.stores import postgresql, postgresql_tables

    if create and postgresql.create_database(config):
        say(console, f'  created   database {project.postgresql.database}')
    say(console, f'  server    {opening.describe_server(project).partition(",")[0]}')
    with postgresql.session(config, seconds=opening.SCHEMA_SECONDS) as session:
        if create and postgresql_tables.create_tables(session, config):
            say(console, "  created   ML Metadata's tables")
        has_tables = postgresql_tables.tables_exist(session, config)
        ownership.check_owner(
            ownership.read_owner(session, project.name),
            ownership.read_mark(project.output),
            project.name,
            project.output,
            connection.display_name(config),
        )
    if not has_tables:
        say(console, '  tables    none yet; the first run creates them')
        return
    store = postgresql_tables.open_store(config)
    pipelines = sorted(context.name for context in runs.contexts_of_type(store, 'pipeline'))
    say(console, f'  pipelines {", ".join(pipelines) or "none yet"}')
    say(console, f'  runs      {len(runs.read_runs(store, project.name)):,}')


@command.command()
@project_argument
def migrate(project: Project) -> None:
    """Copy the records of all runs from metadata.sqlite to the configured database.

    The database must be empty; metadata.sqlite is left unchanged.
    """
    from thawline.pipeline.metadata.stores import migration
    from thawline.pipeline.registry import lock
    from thawline.pipeline.system import file_locks

    console = wide_console(sys.stdout)

    def busy(process: str) -> Busy:
        return Busy(
            f'a run of this project is under way (process {process}); migrate after it has ended'
        )

    with (
        file_locks.lock(project.run_lock, str(os.getpid()), busy=busy),
        lock.hold(project.registry_lock, 'metadata migrate'),
        registry_console.progress(console) as tell,
    ):
        copied = migration.migrate(project, lambda table, rows: tell(f'{table} {rows:,}', 0, 0))
    if not copied.rows:
        say(console, f'the records are already in {copied.place}, and are the same')
        return
    counts = ', '.join(f'{copied.rows[name]:,} {name.lower()}s' for name in _COUNTED)
    total = sum(copied.rows.values())
    say(console, ('✓ ', 'green'), f'copied {counts} to {copied.place}')
    say(console, f'  compared  {total:,} rows of {len(copied.rows)} tables: equal')
    say(console, '  ids       unchanged, so the cache, reports and models stay valid')
    say(console, f'  kept      {project.metadata}, no longer used')
