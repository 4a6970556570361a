"""A project on its way into the cluster and back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thawline.components.shared.errors import ConfigError
from thawline.pipeline.config import loading
from thawline.pipeline.config.config import Config
from thawline.pipeline.orchestrators.kubeflow import payload

CONFIG = loading.parse(
    """
name: stones
data: {source: 'gs://b/x', group_pattern: '^(\\{\\{p\\d{2}\\}\\})', schema_file: mine.pbtxt}
training: {budget: 5m}
gate: {val_accuracy: 0.9}
kubeflow: {image: 'x:1', retries: 3}
output: elsewhere
""",
    'test',
)
PARAMETERS = payload.default_parameters(CONFIG)


def test_the_way_there_and_back():
    described = payload.describe(CONFIG, reviewed='feature { name: "x" }\n')
    assert payload.from_argument(payload.to_argument(described)) == described
    config = payload.apply_parameters(described, PARAMETERS)
    assert config.data.group_pattern == CONFIG.data.group_pattern
    assert config.training == CONFIG.training
    assert config.gate == CONFIG.gate


def test_what_concerns_this_machine_alone_stays_here():
    content = payload.describe(CONFIG, None).config
    assert not {'kubeflow', 'airflow', 'output'} & content.keys()
    assert 'schema_file' not in content['data']


def test_a_new_image_changes_nothing_for_nodes():
    other = CONFIG.model_copy(
        update={'kubeflow': CONFIG.kubeflow.model_copy(update={'image': 'y:2'})}
    )
    assert payload.to_argument(payload.describe(other, None)) == payload.to_argument(
        payload.describe(CONFIG, None)
    )


@given(st.text())
def test_no_argument_holds_what_argo_takes_for_a_placeholder(reviewed):
    described = payload.describe(CONFIG, reviewed + '{{$.inputs}}{{workflow.name}}')
    written = payload.to_argument(described)
    assert '{{' not in written
    assert written.isascii()
    assert '\n' not in written
    assert payload.from_argument(written) == described


def test_parameters_of_a_run():
    assert PARAMETERS == {'data': 'gs://b/x', 'budget': '5m', 'gate': 0.9}
    described = payload.describe(CONFIG, None)
    config = payload.apply_parameters(described, {'data': 'gs://b/new', 'budget': '', 'gate': 0.75})
    assert config.data.source == 'gs://b/new'
    assert config.training.budget is None
    assert config.gate.val_accuracy == 0.75
    assert config.output == 'runs'


def test_parameters_of_a_project_that_sets_none():
    plain = Config.model_validate({'name': 'a', 'data': {'source': 's3://b/x'}})
    assert payload.default_parameters(plain) == {'data': 's3://b/x', 'budget': '', 'gate': 0.8}
    assert (
        payload.apply_parameters(
            payload.describe(plain, None), payload.default_parameters(plain)
        ).gate
        == plain.gate
    )


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'budget': '5'}, "training.budget: must be a time above 0 with its unit.*received '5'"),
        ({'gate': 95}, r'looks like a percentage; write it as a share: 0.95'),
        ({'gate': 'high'}, "gate.val_accuracy: received 'high', expected a number"),
        ({'data': 7}, 'data.source: received 7, expected text'),
    ],
)
def test_parameters_are_checked(changes, message):
    with pytest.raises(ConfigError, match=f'(?s)the parameters of the run: .*{message}'):
        payload.apply_parameters(payload.describe(CONFIG, None), PARAMETERS | changes)


def test_a_missing_parameter_is_told():
    with pytest.raises(ConfigError, match='the run has no parameter gate'):
        payload.apply_parameters(payload.describe(CONFIG, None), {'data': 'x', 'budget': ''})


@pytest.mark.parametrize(
    ('key', 'value', 'message'),
    [
        ('thawline', '0.0.9', 'scheduled by thawline 0.0.9, this image has'),
        ('code', 'abc', r'scheduled with other code \(abc\) than this image has'),
    ],
)
def test_an_image_with_other_code_refuses(key, value, message):
    content = json.loads(payload.to_argument(payload.describe(CONFIG, None)))
    with pytest.raises(ConfigError, match=message):
        payload.from_argument(json.dumps(content | {key: value}))


@given(st.one_of(st.text(), st.recursive(st.none() | st.text(), st.lists).map(json.dumps)))
def test_anything_else_is_refused(text):
    with pytest.raises(ConfigError, match='was not written by thawline schedule kubeflow'):
        payload.from_argument(text)


def test_the_reviewed_schema_lies_under_its_content(tmp_path):
    first = payload.write_schema('a', tmp_path)
    assert first == payload.write_schema('a', tmp_path)
    assert first.read_text('utf-8') == 'a'
    assert payload.write_schema('b', tmp_path) != first
