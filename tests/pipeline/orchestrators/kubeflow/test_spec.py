"""The compiled file, as kfp itself reads it."""

import re
import subprocess
import sys

import pytest
import yaml

from tests.pipeline.orchestrators.kubeflow.test_tasks import NODES
from thawline.pipeline.config.config import Config
from thawline.pipeline.config.kubeflow import Kubeflow
from thawline.pipeline.orchestrators.kubeflow import payload
from thawline.pipeline.orchestrators.kubeflow import tasks as kubeflow_tasks

pytest.importorskip('kfp')

ARGUMENTS = ['--folder', '/thawline', '--project', '{"a": {"b": "\\u007b\\u007b$"}}']
PARAMETERS = payload.default_parameters(
    Config.model_validate({'name': 'a', 'data': {'source': 'gs://b/x'}})
)


def compiled(**settings) -> list[dict]:
    """Documents of the compiled file."""
    from thawline.pipeline.orchestrators.kubeflow import spec

    defaults = {'image': 'reg/x:1', 'root': 'gs://bucket/root', 'volume': 'claim', 'secret': 'team'}
    checked = Kubeflow.model_validate(defaults | settings)
    tasks = kubeflow_tasks.tasks(NODES, checked)
    text = spec.compile_spec(
        'stones', 'description', tasks, checked, ARGUMENTS, PARAMETERS, ['DB_PASSWORD'], '/thawline'
    )
    return list(yaml.safe_load_all(text))


@pytest.fixture(scope='module')
def documents() -> list[dict]:
    return compiled(
        retries=2, resources={'Trainer': {'cpu': 16, 'memory': '64Gi', 'accelerator': 'gpu'}}
    )


def test_parameters_of_a_run_have_the_defaults_of_the_project(documents):
    inputs = documents[0]['root']['inputDefinitions']['parameters']
    assert {name: one['defaultValue'] for name, one in inputs.items()} == PARAMETERS
    assert inputs['gate']['parameterType'] == 'NUMBER_DOUBLE'
    assert documents[0]['defaultPipelineRoot'] == 'gs://bucket/root'


def test_every_task_is_given_the_parameters_of_the_run(documents):
    tasks = documents[0]['root']['dag']['tasks']
    for name, task in tasks.items():
        if not name.startswith('condition'):
            given = task['inputs']['parameters']
            assert given == {key: {'componentInputParameter': key} for key in PARAMETERS}
            assert task['retryPolicy']['maxRetryCount'] == 2
            assert not task['cachingOptions'].get('enableCache')


def test_tasks_follow_those_that_they_need(documents):
    tasks = documents[0]['root']['dag']['tasks']
    assert tasks['transform']['dependentTasks'] == ['imageexamplegen-schemagen']
    assert 'dependentTasks' not in tasks['imageexamplegen-schemagen']


def test_the_command_line_of_a_task(documents):
    container = documents[0]['deploymentSpec']['executors']['exec-trainer-baseline']['container']
    assert container['image'] == 'reg/x:1'
    assert container['command'] == ['python', '-m', 'thawline.pipeline.orchestrators.kubeflow.node']
    assert container['args'] == [
        *('--nodes', 'Trainer,Baseline', '--run', '{{$.pipeline_job_uuid}}', '--task', '{{$}}'),
        *ARGUMENTS,
    ]


def test_resources(documents):
    executors = documents[0]['deploymentSpec']['executors']
    trainer = executors['exec-trainer-baseline']['container']['resources']
    assert trainer['resourceCpuLimit'] == trainer['resourceCpuRequest'] == '16'
    assert trainer['resourceMemoryLimit'] == trainer['resourceMemoryRequest'] == '64Gi'
    assert trainer['accelerator']['resourceType'] == 'gpu'
    pusher = executors['exec-pusher']['container']['resources']
    assert pusher['cpuLimit'] < trainer['cpuLimit']
    assert 'accelerator' not in pusher


def test_the_branch_for_a_refused_model(documents):
    tasks = documents[0]['root']['dag']['tasks']
    (branch,) = (task for name, task in tasks.items() if name.startswith('condition'))
    assert branch['taskInfo']['name'] == 'not-blessed'
    assert re.search("pusher-verdict'\\] == 'refused'", branch['triggerPolicy']['condition'])


def test_what_kubernetes_is_told(documents):
    executors = documents[1]['platforms']['kubernetes']['deploymentSpec']['executors']
    assert executors['exec-pusher']['pvcMount'][0]['mountPath'] == '/thawline'
    assert executors['exec-pusher']['secretAsEnv'][0]['keyToEnv'] == [
        {'envVar': 'DB_PASSWORD', 'secretKey': 'DB_PASSWORD'}
    ]
    assert len(executors) == len(documents[0]['deploymentSpec']['executors']) - 1  # not the branch


def test_vertex_gets_one_document():
    (document,) = compiled(
        platform='vertex', volume=None, secret='projects/p/secrets/s/versions/1', retries=0
    )
    assert 'retryPolicy' not in document['root']['dag']['tasks']['pusher']


def test_a_container_takes_no_name_for_a_placeholder(documents):
    given = documents[0]['deploymentSpec']['executors']['exec-pusher']['container']['args']
    assert given[given.index('--project') + 1] == ARGUMENTS[-1]


def test_kfp_that_is_not_installed_is_told():
    program = (
        "import sys; sys.modules['kfp'] = None\n"
        'from thawline.components.shared.errors import ConfigError\n'
        'try:\n'
        '    import thawline.pipeline.orchestrators.kubeflow.spec\n'
        'except ConfigError as error:\n'
        '    print(error)\n'
    )
    ended = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True)
    assert "install it with: pip install 'thawline[kfp]'" in ended.stdout, ended.stderr
