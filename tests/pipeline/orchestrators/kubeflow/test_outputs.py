"""What Kubeflow says of a task, and what it is left."""

import json
import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thawline.components.shared.errors import ConfigError
from thawline.pipeline.metadata.runs import NodeResult, Output
from thawline.pipeline.orchestrators.kubeflow import outputs, secret

INPUT = {
    'inputs': {'parameterValues': {'data': 'gs://b/x', 'budget': '', 'gate': 0.8}},
    'outputs': {
        'outputFile': '/tmp/kfp_outputs/output_metadata.json',
        'parameters': {'verdict': {'outputFile': '/tmp/kfp/outputs/verdict'}},
        'artifacts': {
            'measures': {'artifacts': [{'name': 'projects/1', 'uri': 'gs://b/m', 'type': {}}]}
        },
    },
}


def test_an_executor_input_of_kubeflow():
    task = outputs.parse_input(json.dumps(INPUT))
    assert task.parameters == {'data': 'gs://b/x', 'budget': '', 'gate': 0.8}
    assert task.values == {'verdict': pathlib.Path('/tmp/kfp/outputs/verdict')}
    assert task.artifacts['measures']['uri'] == 'gs://b/m'
    assert task.output == pathlib.Path('/tmp/kfp_outputs/output_metadata.json')


def test_a_task_without_outputs():
    task = outputs.parse_input('{"inputs": {"parameterValues": {"gate": 1}}}')
    assert (task.values, task.artifacts, task.output) == ({}, {}, None)


@pytest.mark.parametrize(
    'text',
    [
        '',
        '{{$}}',
        '[]',
        'null',
        '{"inputs": 1}',
        '{"outputs": {"parameters": {"verdict": {}}}}',
        '{"outputs": {"artifacts": {"measures": {"artifacts": []}}}}',
    ],
)
def test_what_is_no_executor_input(text):
    with pytest.raises(ConfigError, match='not an executor input of Kubeflow'):
        outputs.parse_input(text)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda s: (
            st.lists(s)
            | st.dictionaries(
                st.sampled_from(
                    ['inputs', 'outputs', 'parameterValues', 'artifacts', 'parameters']
                ),
                s,
            )
        ),
    )
)
def test_any_json_is_read_or_refused(content):
    try:
        task = outputs.parse_input(json.dumps(content))
    except ConfigError as error:
        assert '--task: received' in str(error)
    else:
        assert isinstance(task.parameters, dict)


def test_measures_are_numbers():
    evaluator = NodeResult(
        'Evaluator',
        'complete',
        {
            'evaluation': Output(1, '/x', {'val_accuracy': 0.9, 'val_lower': 0.8, 'rules': 'a'}),
            'blessing': Output(2, '/y', {'blessed': 1}),
        },
        1.0,
    )
    metrics = outputs.measures({'Evaluator': evaluator})
    assert metrics == {'val_accuracy': 0.9, 'val_lower': 0.8, 'blessed': 1.0}


def test_variables_of_a_secret():
    assert secret.parse('s', b'{"A": "1"}') == {'A': '1'}


@pytest.mark.parametrize('payload', [b'', b'hunter2', b'["hunter2"]', b'{"A": {"hunter2": 1}}'])
def test_no_error_tells_a_secret(payload):
    with pytest.raises(ConfigError, match='the secret s must hold a JSON object') as caught:
        secret.parse('s', payload)
    assert 'hunter2' not in str(caught.value)
