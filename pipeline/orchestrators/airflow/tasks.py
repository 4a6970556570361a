"""A compiled pipeline as tasks of an Airflow DAG: pure functions, without TFX and without Airflow.

What they make is read by `dag.py`, which lies beside it in Airflow's folder.
"""

from __future__ import annotations

import dataclasses
import graphlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from thawline.components.shared import node_names
from thawline.components.shared.settings import seconds_of
from thawline.pipeline.config.airflow import Airflow
from thawline.pipeline.config.task_grouping import Policy
from thawline.pipeline.runners import compiled_file, run_nodes

FORMAT = 1
_HEAVY = (node_names.TRAINER, node_names.TUNER)  # beside all that Beam does
# Each begins what people would try again, or look into, by itself.
_PHASES = (node_names.TRANSFORM, node_names.TUNER, node_names.TRAINER, node_names.EVALUATOR)


@dataclasses.dataclass(frozen=True)
class Group:
    """Nodes that one process runs, in this order, and the groups (by number) before it."""

    nodes: tuple[str, ...]
    upstream: tuple[int, ...]


def is_heavy(node: compiled_file.Node) -> bool:
    """Whether a node's work grows with the images, so that an import more does not matter."""
    return node.beam or node.id in _HEAVY


def groups(nodes: Sequence[compiled_file.Node], policy: Policy) -> list[Group]:
    """Puts nodes that shall share a process into groups, without a cycle between groups.

    A node joins the group of the latest node before it, or of the one that precedes it in the order
    where none has to be before it. The Pusher is always alone: Airflow shows it as skipped for a
    model that is not blessed.

    Args:
        nodes: in an order in which they can run.
        policy: who joins: nobody, nodes that are not heavy, those that do not begin a phase (the
            data, the images, tuning, training, evaluation), or all.
    """
    members: list[list[str]] = []
    place: dict[str, int] = {}
    before: dict[str, Collection[str]] = {}
    for node in nodes:
        before[node.id] = node.upstream
        wanted = sorted({place[one] for one in node.upstream}, reverse=True)
        if not wanted and members:
            wanted = [len(members) - 1]
        for at in wanted if _joins(node, policy) else ():
            if members[at] != [node_names.PUSHER] and not _detour(at, node, place, before):
                members[at].append(node.id)
                break
        else:
            at = len(members)
            members.append([node.id])
        place[node.id] = at
    needs = {
        at: {place[up] for node in group for up in before[node]} - {at}
        for at, group in enumerate(members)
    }
    order = list(graphlib.TopologicalSorter(needs).static_order())
    return [
        Group(tuple(members[at]), tuple(sorted(map(order.index, _direct(at, needs)))))
        for at in order
    ]


def _joins(node: compiled_file.Node, policy: Policy) -> bool:
    """Whether a node may share the process of those before it."""
    if node.id == node_names.PUSHER:
        return False
    return {
        'none': False,
        'cheap': not is_heavy(node),
        'phases': node.id not in _PHASES,
        'all': True,
    }[policy]


def _direct(at: int, needs: Mapping[int, set[int]]) -> set[int]:
    """Groups before one, without those that another of them waits for already."""
    ahead, implied = list(needs[at]), set[int]()
    while ahead:
        further = needs[ahead.pop()] - implied
        implied |= further
        ahead += further
    return needs[at] - implied


def _detour(
    at: int,
    node: compiled_file.Node,
    place: Mapping[str, int],
    before: Mapping[str, Collection[str]],
) -> bool:
    """Whether a path leads from a group out of it and to a node: a cycle, if that joined it."""
    ahead = {place[one] for one in node.upstream} - {at}
    seen: set[int] = set()
    while ahead:
        group = ahead.pop()
        if group == at:
            return True
        seen.add(group)
        inside = [one for one, number in place.items() if number == group]
        ahead |= {place[up] for one in inside for up in before[one]} - seen
    return False


def task_id(nodes: Sequence[str]) -> str:
    """Name of a group in Airflow: its node, or its first and last."""
    return nodes[0] if len(nodes) == 1 else f'{nodes[0]}-{nodes[-1]}'


def tasks(nodes: Sequence[compiled_file.Node], settings: Airflow) -> list[dict[str, Any]]:
    """The tasks, each after those that it needs, as JSON."""
    heavy = {node.id for node in nodes if is_heavy(node)}
    found = groups(nodes, settings.group)
    ids = [task_id(group.nodes) for group in found]
    pushing = [number for number, group in enumerate(found) if node_names.PUSHER in group.nodes]
    return [
        {
            'id': ids[number],
            'nodes': list(group.nodes),
            'log': run_nodes.log_name('', group.nodes),  # what follows the run's id
            'upstream': [ids[one] for one in group.upstream],
            'pool': settings.pool if heavy & set(group.nodes) else None,
            # What follows a push that was skipped runs all the same: the report, above all.
            'trigger_rule': 'none_failed' if set(pushing) & set(group.upstream) else 'all_success',
        }
        for number, group in enumerate(found)
    ]


def dag(
    content: Mapping[str, Any],
    settings: Airflow,
    command: Sequence[str],
    environment: Mapping[str, str],
) -> dict[str, Any]:
    """All that the DAG file reads, as JSON.

    Args:
        content: the envelope, as `pipeline.runners.compiled_file.envelope` makes it.
        settings: of the DAG.
        command: runs nodes: arguments up to and with `run-node`.
        environment: variables that the command needs.
    """
    nodes = [compiled_file.Node.model_validate(node) for node in content['nodes']]
    digest = str(content['digest']).removeprefix('sha256:')
    made = tasks(nodes, settings)
    return {
        'format': FORMAT,
        'dag_id': content['name'],
        'home': content['home'],
        'digest': content['digest'],
        'ir': f'pipeline-{digest[:16]}.json',
        'doc': _document(content, settings, made),
        'schedule': settings.schedule,
        'start_date': settings.start_date,
        'max_active_runs': settings.max_active_runs,
        'retries': settings.retries,
        'retry_seconds': seconds_of(settings.retry_delay),
        'timeout_seconds': seconds_of(settings.timeout),
        'url': None if settings.url is None else settings.url.rstrip('/'),
        'command': list(command),
        'environment': dict(environment),
        'tasks': made,
        'push': node_names.PUSHER,
    }


def _document(
    content: Mapping[str, Any], settings: Airflow, made: Sequence[Mapping[str, Any]]
) -> str:
    """The page on the DAG that Airflow shows, in Markdown."""
    lines = [
        f'Pipeline of {_quoted(content["home"])}, compiled by thawline {content["thawline"]}: '
        f'`{str(content["digest"])[:19]}`.',
        '',
        f'Runs are kept in {_quoted(content["output"])}: logs in `logs`, reports in `reports`, '
        'each named for the run of Airflow.'
        + (f' [Reports]({settings.url.rstrip("/")}/reports/)' if settings.url else ''),
        '',
        '- Pusher skipped, `not_blessed` succeeded: the model was not pushed; the log of Pusher '
        'says why, and the report is there all the same.',
        '- A task that fails without a retry: bad configuration, stopped by data, or inputs are '
        'missing; its log says which.',
        '- A failed task that is cleared goes on where it was; nodes that are complete are kept, '
        'unless the run was triggered with `force`.',
        '',
        '| task | nodes |',
        '|---|---|',
        *(f'| {task["id"]} | {", ".join(task["nodes"])} |' for task in made),
    ]
    return '\n'.join(lines)


def _quoted(path: str) -> str:
    """A path as code in Markdown, whatever characters it holds."""
    longest = max((len(run) for run in path.replace('`', '\0`').split('\0')), default=0)
    fence = '`' * (longest + 1 if '`' in path else 1)
    return f'{fence} {path} {fence}' if '`' in path else f'`{path}`'
