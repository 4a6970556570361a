"""`thawline metadata check`: where runs are recorded, and whether that works."""

from __future__ import annotations

import sys

from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata import runs as metadata_lib
from thawline.pipeline.metadata.stores import connection, opening, ownership
from thawline.pipeline.terminal.console import roomy_console, say


def check(project: Project, create: bool) -> None:
    """Prints where runs are recorded and what is there.

    Raises:
        ConfigError: it cannot be reached or used.
    """
    console = roomy_console(sys.stdout)
    described = opening.described(project)
    say(console, f'runs of {project.name} are recorded in {connection.name(described)}')
    if project.postgresql is None:
        ownership.check_sqlite(project.output)
        store = opening.to_read(project)
        found = len(metadata_lib.runs(store, project.name)) if store else 0
        say(console, f'  runs      {found:,}' if store else '  no run yet')
        return
    from thawline.pipeline.metadata.stores import postgresql, postgresql_tables

    if create and postgresql.create(described):
        say(console, f'  made      database {project.postgresql.database}')
    say(console, f'  server    {opening.reached(project).partition(",")[0]}')
    with postgresql.session(described, seconds=opening.SECONDS) as session:
        if create and postgresql_tables.make(session, described):
            say(console, "  made      ML Metadata's tables")
        there = postgresql_tables.are_there(session, described)
        owner = ownership.owner_of(session, project.name)
        ownership.check(
            owner,
            ownership.mark_of(project.output),
            project.name,
            project.output,
            connection.name(described),
        )
    if not there:
        say(console, '  tables    none yet; the first run makes them')
        return
    store = postgresql_tables.opened(described)
    pipelines = sorted(one.name for one in metadata_lib.contexts_of(store, 'pipeline'))
    say(console, f'  pipelines {", ".join(pipelines) or "none yet"}')
    say(console, f'  runs      {len(metadata_lib.runs(store, project.name)):,}')
