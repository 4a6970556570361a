"""Nodes of a compiled pipeline in groups that share a process. Pure, without TFX."""

from __future__ import annotations

import dataclasses
import graphlib
from collections.abc import Collection, Mapping, Sequence

from thawline.components.shared import node_names
from thawline.pipeline.config.task_grouping import Policy
from thawline.pipeline.runners.compiled_file import CompiledNode

_HEAVY = (node_names.TRAINER, node_names.TUNER)  # beside all nodes of Beam
# The first node of each phase: people retry or inspect a phase as a whole.
_PHASES = (node_names.TRANSFORM, node_names.TUNER, node_names.TRAINER, node_names.EVALUATOR)


@dataclasses.dataclass(frozen=True)
class NodeGroup:
    """Nodes that one process runs, in this order, and the groups (by number) before it."""

    nodes: tuple[str, ...]
    upstream: tuple[int, ...]

    @property
    def name(self) -> str:
        """Its node, or its first and last."""
        return self.nodes[0] if len(self.nodes) == 1 else f'{self.nodes[0]}-{self.nodes[-1]}'


def is_heavy(node: CompiledNode) -> bool:
    """Whether a node's work grows with the images, so that another import does not matter."""
    return node.beam or node.id in _HEAVY


def group_nodes(nodes: Sequence[CompiledNode], policy: Policy) -> list[NodeGroup]:
    """Groups nodes that share a process, without a cycle between groups.

    A node joins the group of the latest node that it depends on, or of the preceding node if it
    depends on none. The Pusher is always alone: schedulers show it as skipped for a model that is
    not blessed.

    Args:
        nodes: in an order in which they can run.
        policy: which nodes join: none, those that are not heavy, those that do not begin a phase
            (data, images, tuning, training, evaluation), or all.
    """
    members: list[list[str]] = []
    group_of: dict[str, int] = {}
    upstream: dict[str, Collection[str]] = {}
    for node in nodes:
        upstream[node.id] = node.upstream
        candidates = sorted({group_of[before] for before in node.upstream}, reverse=True)
        if not candidates and members:
            candidates = [len(members) - 1]
        for group in candidates if _joins(node, policy) else ():
            is_push = members[group] == [node_names.PUSHER]
            if not is_push and not _closes_cycle(group, node, group_of, upstream):
                members[group].append(node.id)
                break
        else:
            group = len(members)
            members.append([node.id])
        group_of[node.id] = group
    needs = {
        group: {group_of[before] for node in names for before in upstream[node]} - {group}
        for group, names in enumerate(members)
    }
    order = list(graphlib.TopologicalSorter(needs).static_order())
    return [
        NodeGroup(tuple(members[group]), tuple(sorted(map(order.index, _direct(group, needs)))))
        for group in order
    ]


def _joins(node: CompiledNode, policy: Policy) -> bool:
    if node.id == node_names.PUSHER:
        return False
    return {
        'none': False,
        'cheap': not is_heavy(node),
        'phases': node.id not in _PHASES,
        'all': True,
    }[policy]


def _direct(group: int, needs: Mapping[int, set[int]]) -> set[int]:
    """The groups before one, without those that another of them already waits for."""
    ahead, implied = list(needs[group]), set[int]()
    while ahead:
        further = needs[ahead.pop()] - implied
        implied |= further
        ahead += further
    return needs[group] - implied


def _closes_cycle(
    group: int,
    node: CompiledNode,
    group_of: Mapping[str, int],
    upstream: Mapping[str, Collection[str]],
) -> bool:
    """Whether a path leads from a group through others to a node that would join it."""
    ahead = {group_of[before] for before in node.upstream} - {group}
    seen: set[int] = set()
    while ahead:
        current = ahead.pop()
        if current == group:
            return True
        seen.add(current)
        inside = [name for name, number in group_of.items() if number == current]
        ahead |= {group_of[before] for name in inside for before in upstream[name]} - seen
    return False
