"""Nodes in tasks, and what each task gets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thawline.components.shared.errors import ConfigError
from thawline.pipeline.config.kubeflow import Kubeflow, Resources
from thawline.pipeline.orchestrators.kubeflow import tasks as kubeflow_tasks
from thawline.pipeline.runners import compiled_file

NODES = [
    compiled_file.CompiledNode(id=name, upstream=upstream, beam=beam)
    for name, upstream, beam in (
        ('ImageExampleGen', (), True),
        ('StatisticsGen', ('ImageExampleGen',), True),
        ('SchemaGen', ('StatisticsGen',), False),
        ('Transform', ('ImageExampleGen', 'SchemaGen'), True),
        ('Trainer', ('Transform',), False),
        ('Baseline', ('Trainer',), False),
        ('Evaluator', ('Baseline', 'Trainer'), True),
        ('Pusher', ('Evaluator',), False),
        ('Report', ('Evaluator', 'Pusher'), False),
    )
]


def tasks(**settings) -> dict[str, kubeflow_tasks.Task]:
    by_id = kubeflow_tasks.tasks(NODES, Kubeflow.model_validate(settings))
    return {task.id: task for task in by_id}


@pytest.mark.parametrize('group', ['none', 'cheap', 'phases', 'all'])
def test_every_node_once_and_after_those_before_it(group):
    by_id = list(tasks(group=group).values())
    done: list[str] = []
    for number, task in enumerate(by_id):
        assert all(before < number for before in task.upstream)
        for node in task.nodes:
            assert set(next(one for one in NODES if one.id == node).upstream) <= set(done)
            done.append(node)
    assert sorted(done) == sorted(node.id for node in NODES)


def test_the_push_is_a_task_of_its_own():
    for group in ('none', 'cheap', 'phases', 'all'):
        assert tasks(group=group)['Pusher'].nodes == ('Pusher',)


def test_what_runs_the_model_gets_most():
    by_id = tasks(group='none')
    assert by_id['Trainer'].resources.cpu > by_id['Transform'].resources.cpu
    assert by_id['Transform'].resources.cpu > by_id['SchemaGen'].resources.cpu


def test_a_group_gets_the_most_of_each():
    by_id = tasks(
        group='cheap',
        resources={
            'Trainer': {'cpu': 1, 'accelerator': 'nvidia.com/gpu', 'accelerators': 2},
            'Baseline': {'cpu': 3, 'memory': '20000Mi'},
        },
    )
    assert by_id['Trainer-Baseline'].resources == Resources(
        cpu=3, memory='20000Mi', accelerator='nvidia.com/gpu', accelerators=2
    )


def test_a_number_of_accelerators_without_one_does_not_count():
    by_id = tasks(resources={'Trainer': {'accelerator': 'a'}, 'Baseline': {'accelerators': 8}})
    assert by_id['Trainer-Baseline'].resources.accelerators == 1


def test_two_accelerators_in_one_task_are_refused():
    resources = {
        'Trainer': {'accelerator': 'NVIDIA_L4'},
        'Baseline': {'accelerator': 'NVIDIA_A100'},
    }
    with pytest.raises(ConfigError, match=r'different accelerators \(NVIDIA_A100, NVIDIA_L4\)'):
        tasks(resources=resources)
    assert len(tasks(resources=resources, group='none')) == len(NODES)


def test_resources_for_an_unknown_node():
    with pytest.raises(ConfigError, match="no node 'Trainr'; there are: ImageExampleGen, Stat"):
        tasks(resources={'Trainr': {'cpu': 2}})


@pytest.mark.parametrize(
    ('memory', 'expected'), [('2Ki', 2048), ('1.5G', 1.5e9), ('4Gi', 4 * 2**30), ('3T', 3e12)]
)
def test_bytes_of_memory(memory, expected):
    assert kubeflow_tasks.bytes_of(memory) == expected


@given(st.from_regex(r'[a-z0-9][a-z0-9_-]{0,62}', fullmatch=True))
def test_names_that_vertex_takes(name):
    assert '_' not in kubeflow_tasks.pipeline_name(name)
