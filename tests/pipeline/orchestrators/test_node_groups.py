"""Which nodes share a process."""

from __future__ import annotations

import graphlib

from hypothesis import given
from hypothesis import strategies as st

from tests.pipeline.orchestrators.chain import NODES
from thawline.components.shared import node_names
from thawline.pipeline.orchestrators import node_groups
from thawline.pipeline.runners import compiled_file


def test_cheap_nodes_share_the_process_of_the_heavy_one_before_them():
    assert [group.nodes for group in node_groups.group_nodes(NODES, 'cheap')] == [
        ('ImageExampleGen',),
        ('StatisticsGen', 'SchemaGen', 'ExampleValidator', 'DataGate'),
        ('Transform',),
        ('Embedder', 'DataAudit'),
        ('Trainer', 'Baseline'),
        ('Evaluator', 'Exporter', 'ServingCheck'),
        ('Pusher',),
        ('LastReport', 'Report'),
    ]


def test_nodes_of_a_phase_share_a_process():
    assert [group.nodes for group in node_groups.group_nodes(NODES, 'phases')] == [
        ('ImageExampleGen', 'StatisticsGen', 'SchemaGen', 'ExampleValidator', 'DataGate'),
        ('Transform', 'Embedder', 'DataAudit'),
        ('Trainer', 'Baseline'),
        ('Evaluator', 'Exporter', 'ServingCheck'),
        ('Pusher',),
        ('LastReport', 'Report'),
    ]


def test_the_push_stays_alone_when_all_nodes_are_grouped():
    groups = node_groups.group_nodes(NODES, 'all')
    assert [group.nodes[0] for group in groups] == ['ImageExampleGen', 'Pusher', 'LastReport']
    assert [group.upstream for group in groups] == [(), (0,), (1,)]


def test_a_task_a_node_waits_for_those_only_that_nothing_else_waits_for():
    groups = {group.nodes[0]: group for group in node_groups.group_nodes(NODES, 'none')}
    assert list(map(len, (group.nodes for group in groups.values()))) == [1] * len(NODES)
    order = list(groups)
    assert [order[one] for one in groups['Report'].upstream] == ['LastReport']


@st.composite
def graphs(draw) -> list[compiled_file.CompiledNode]:
    size = draw(st.integers(1, 12))
    names = [f'N{number}' for number in range(size)]
    if draw(st.booleans()):
        names[draw(st.integers(0, size - 1))] = node_names.PUSHER
    return [
        compiled_file.CompiledNode(
            id=name,
            upstream=tuple(draw(st.sets(st.sampled_from(names[:at])))) if at else (),
            beam=draw(st.booleans()),
        )
        for at, name in enumerate(names)
    ]


@given(graphs(), st.sampled_from(['none', 'cheap', 'phases', 'all']))
def test_groups_keep_every_order_that_nodes_need(nodes, policy):
    groups = node_groups.group_nodes(nodes, policy)
    assert sorted(one for group in groups for one in group.nodes) == sorted(n.id for n in nodes)
    assert all(one < at for at, group in enumerate(groups) for one in group.upstream)
    place = {node: at for at, group in enumerate(groups) for node in group.nodes}
    before = {at: set(group.upstream) for at, group in enumerate(groups)}
    order = list(graphlib.TopologicalSorter(before).static_order())
    reach = dict[int, set[int]]()
    for at in order:
        reach[at] = set().union(*({one} | reach[one] for one in before[at]), set())
    for node in nodes:
        for one in node.upstream:
            inside = groups[place[node.id]].nodes
            if place[one] == place[node.id]:
                assert inside.index(one) < inside.index(node.id)
            else:
                assert place[one] in reach[place[node.id]]
    if node_names.PUSHER in place:
        assert groups[place[node_names.PUSHER]].nodes == (node_names.PUSHER,)
