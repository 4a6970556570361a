"""`thawline metadata check`: where runs are recorded, and whether that works."""

from __future__ import annotations

import sys

from pipeline import display
from pipeline import metadata as metadata_lib
from pipeline.paths import Project
from pipeline.stores import connection, opened, ownership


def check(project: Project, create: bool) -> None:
    """Prints where runs are recorded and what is there.

    Raises:
        ConfigError: it cannot be reached or used.
    """
    console = display.roomy_console(sys.stdout)
    described = opened.described(project)
    display.say(console, f'runs of {project.name} are recorded in {connection.name(described)}')
    if project.postgresql is None:
        ownership.check_sqlite(project.output)
        store = opened.to_read(project)
        found = len(metadata_lib.runs(store, project.name)) if store else 0
        display.say(console, f'  runs      {found:,}' if store else '  no run yet')
        return
    from pipeline.stores import server, tables

    if create and server.create(described):
        display.say(console, f'  made      database {project.postgresql.database}')
    display.say(console, f'  server    {opened.reached(project).partition(",")[0]}')
    with server.session(described, seconds=opened.SECONDS) as session:
        if create and tables.make(session, described):
            display.say(console, "  made      ML Metadata's tables")
        there = tables.are_there(session, described)
        owner = ownership.owner_of(session, project.name)
        ownership.check(
            owner,
            ownership.mark_of(project.output),
            project.name,
            project.output,
            connection.name(described),
        )
    if not there:
        display.say(console, '  tables    none yet; the first run makes them')
        return
    store = tables.opened(described)
    pipelines = sorted(one.name for one in metadata_lib.contexts_of(store, 'pipeline'))
    display.say(console, f'  pipelines {", ".join(pipelines) or "none yet"}')
    display.say(console, f'  runs      {len(metadata_lib.runs(store, project.name)):,}')
