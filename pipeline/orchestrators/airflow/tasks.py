"""A compiled pipeline as tasks of an Airflow DAG: pure functions, without TFX and without Airflow.

`dag.py`, beside their result in Airflow's DAGs folder, reads it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from thawline.components.shared import node_names
from thawline.components.shared.settings import seconds_of
from thawline.pipeline.config.airflow import Airflow
from thawline.pipeline.orchestrators.node_groups import group_nodes, is_heavy
from thawline.pipeline.runners import run_nodes
from thawline.pipeline.runners.compiled_file import CompiledNode, Envelope

FORMAT = 1


def tasks(nodes: Sequence[CompiledNode], settings: Airflow) -> list[dict[str, Any]]:
    """The tasks as JSON, each after those that it needs."""
    heavy = {node.id for node in nodes if is_heavy(node)}
    groups = group_nodes(nodes, settings.group)
    pushes = {number for number, group in enumerate(groups) if node_names.PUSHER in group.nodes}
    return [
        {
            'id': group.name,
            'nodes': list(group.nodes),
            'log': run_nodes.log_name('', group.nodes),  # what follows the run's id
            'upstream': [groups[number].name for number in group.upstream],
            'pool': settings.pool if heavy & set(group.nodes) else None,
            # What follows a skipped push runs all the same: the report, above all.
            'trigger_rule': 'none_failed' if pushes & set(group.upstream) else 'all_success',
        }
        for group in groups
    ]


def dag(
    content: Envelope,
    settings: Airflow,
    command: Sequence[str],
    environment: Mapping[str, str],
) -> dict[str, Any]:
    """All that the DAG file reads, as JSON.

    Args:
        content: the compiled pipeline.
        settings: of the DAG.
        command: runs nodes: arguments up to and with `run-node`.
        environment: variables that the command needs.
    """
    entries = tasks(content.nodes, settings)
    return {
        'format': FORMAT,
        'dag_id': content.name,
        'home': str(content.home),
        'digest': content.digest,
        'ir': f'pipeline-{content.digest.removeprefix("sha256:")[:16]}.json',
        'doc': _document(content, settings, entries),
        'schedule': settings.schedule,
        'start_date': settings.start_date,
        'max_active_runs': settings.max_active_runs,
        'retries': settings.retries,
        'retry_seconds': seconds_of(settings.retry_delay),
        'timeout_seconds': seconds_of(settings.timeout),
        'url': None if settings.url is None else settings.url.rstrip('/'),
        'command': list(command),
        'environment': dict(environment),
        'tasks': entries,
        'push': node_names.PUSHER,
    }


def _document(content: Envelope, settings: Airflow, entries: Sequence[Mapping[str, Any]]) -> str:
    """The page on the DAG that Airflow shows, in Markdown."""
    reports = f' [Reports]({settings.url.rstrip("/")}/reports/)' if settings.url else ''
    lines = [
        f'Pipeline of {_code(str(content.home))}, compiled by thawline {content.thawline}: '
        f'`{content.digest[:19]}`.',
        '',
        f'Files of runs are in {_code(str(content.output))}: logs in `logs`, reports in `reports`, '
        f"each named after Airflow's run id.{reports}",
        '',
        '- Pusher skipped, `not_blessed` succeeded: the model was not pushed. The log of Pusher '
        'gives the reason, and there is still a report.',
        '- A task that fails without a retry: bad configuration, stopped by data, or missing '
        'inputs. Its log says which.',
        '- A failed task that is cleared continues where it stopped; complete nodes are kept, '
        'unless the run was triggered with `force`.',
        '',
        '| task | nodes |',
        '|---|---|',
        *(f'| {task["id"]} | {", ".join(task["nodes"])} |' for task in entries),
    ]
    return '\n'.join(lines)


def _code(path: str) -> str:
    """A path as code in Markdown, whatever characters it holds."""
    longest = max((len(run) for run in path.replace('`', '\0`').split('\0')), default=0)
    fence = '`' * (longest + 1 if '`' in path else 1)
    return f'{fence} {path} {fence}' if '`' in path else f'`{path}`'
