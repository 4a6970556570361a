"""Which nodes of a run are done, and which have to run (again). Needs neither TFX nor a database.

The result of a node is out of date once a node before it ran again, or once the node itself has
other settings or code. Executions are numbered in the order in which they began, and a node begins
after all before it have ended, so a node before it with a higher number ran again. Results that a
partial run took over fit each other, whatever their numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from thawline.pipeline.metadata import execution_states
from thawline.pipeline.metadata.runs import Attempt

_WHY = {
    'canceled': 'was stopped',
    'not run': 'lacked inputs',
    execution_states.RUNNING: 'is running',
    execution_states.KILLED: 'was killed',
    execution_states.UNFINISHED: 'is running, or was killed',
}


def stale_reasons(
    upstream: Mapping[str, Sequence[str]],
    attempts: Mapping[str, Attempt],
    definitions: Mapping[str, str],
    changed: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """Why each node is not done, as a predicate to its name; empty for nodes that are.

    Args:
        upstream: nodes before each, in an order in which they can run.
        attempts: of the nodes that ran.
        definitions: digest of what each node is now.
        changed: why nodes are out of date whose definition is the same.
    """
    reasons: dict[str, str] = {}
    for node, before in upstream.items():
        reasons[node] = (
            _reason(attempts.get(node), definitions.get(node, ''))
            or changed.get(node, '')
            or _outdated(attempts[node], before, attempts, reasons)
        )
    return reasons


def _reason(attempt: Attempt | None, definition: str) -> str:
    if attempt is None:
        return 'did not run'
    if attempt.state not in execution_states.SUCCESS_STATES:
        return _WHY.get(attempt.state, 'failed')
    if attempt.definition != definition:
        return 'ran with other settings or code'
    return ''


def _outdated(
    own: Attempt,
    before: Sequence[str],
    attempts: Mapping[str, Attempt],
    reasons: Mapping[str, str],
) -> str:
    for node in before:
        if reasons[node]:
            return f'is out of date: {node} {reasons[node]}'
        is_later = attempts[node].id > own.id and not (attempts[node].reused and own.reused)
        if is_later:
            return f'is out of date: {node} ran again after it'
    return ''


def missing_inputs(node: str, upstream: Mapping[str, Sequence[str]], why: Mapping[str, str]) -> str:
    """What a node lacks, one clause per node before it; empty if it can run."""
    return '; '.join(f'{name} {why[name]}' for name in upstream[node] if why[name])
