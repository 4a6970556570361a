"""Finishes what killed runs left: their records, half-made artifacts and temporary files.

The processes that ran the nodes are recorded with their executions
(`pipeline.metadata.annotations`). What one on another machine does is never taken for killed.
"""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Sequence

from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata import annotations as recording
from thawline.pipeline.metadata.stores import opening
from thawline.pipeline.metadata.unfinished import read_unfinished
from thawline.pipeline.system import temporary_files
from thawline.pipeline.system.process_identity import ProcessIdentity

# Folders of a node, as TFX has them.
_STATES = '.system/stateful_working_dir'
_TEMPORARY = '.system/executor_execution'
_SHOWN = 3


def clean_up(project: Project, alone: bool) -> str | None:
    """Removes what killed runs left.

    Args:
        project: whose runs they are.
        alone: whether this process holds the project's lock, so that no other one of this machine
            runs any of its nodes.

    Returns:
        A line that says so; None where there was nothing.
    """
    folders = temporary_files.remove_orphaned()
    store = opening.find_store(project)
    unfinished = read_unfinished(store, project.name) if store else []
    alone = alone and project.postgresql is None
    killed = [execution for execution in unfinished if _is_dead(execution.process, alone)]
    for node in sorted({execution.node for execution in killed}):
        numbers = [execution.id for execution in killed if execution.node == node]
        others = sum(execution.node == node for execution in unfinished) > len(numbers)
        _remove_files(project.artifacts / node, numbers, others)
        for number in numbers:
            recording.mark_killed(store, number)
    if not killed and not folders:
        return None
    names = [f'{execution.run} in {execution.node}' for execution in killed[:_SHOWN]]
    more = f' and {len(killed) - _SHOWN} more' if len(killed) > _SHOWN else ''
    what = f'runs that were killed: {", ".join(names)}{more}' if killed else 'killed commands'
    return f'removed what was left of {what}'


def _is_dead(process: ProcessIdentity | None, alone: bool) -> bool:
    if process is None:  # of an earlier version, or killed before it said who it was
        return alone
    is_dead = process.is_dead
    return alone and process.is_of_this_boot if is_dead is None else is_dead


def _remove_files(node: pathlib.Path, executions: Sequence[int], others: bool) -> None:
    """Removes what executions of a node left.

    Args:
        node: its folder.
        executions: their numbers.
        others: whether others of it may be under way; the names of the folders in which they keep
            their state are recorded nowhere.
    """
    folders = [
        folder
        for number in executions
        for folder in (*node.glob(f'*/{number}'), node / _TEMPORARY / str(number))
    ]
    folders += [] if others else node.glob(f'{_STATES}/*')
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
