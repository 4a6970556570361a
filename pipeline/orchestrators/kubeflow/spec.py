"""Tasks as Kubeflow's intermediate representation (PipelineSpec, YAML). The only importer of kfp.

Each task is a container that runs some nodes (`node.py`). Beside the project's own records it
leaves outputs for Kubeflow's pages: the gate's metrics, the report, and a branch `not-blessed` that
runs for a refused model only.
"""

# kfp reads types from signatures and does not understand postponed ones: no __future__ import.
import json
import pathlib
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from thawline.components.shared import node_names
from thawline.components.shared.errors import ConfigError
from thawline.pipeline.config.kubeflow import Kubeflow, Resources
from thawline.pipeline.orchestrators.kubeflow import tasks as names

try:
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # about future Python versions
        from kfp import compiler, components, dsl, kubernetes
except ImportError as error:
    raise ConfigError(
        f"kfp cannot be imported ({error}); install it with: pip install 'thawline[kfp]'"
    ) from error

_OUTPUTS = {
    node_names.EVALUATOR: {names.MEASURES: 'Metrics'},
    node_names.PUSHER: {names.VERDICT: 'String', names.WHY: 'String'},
    node_names.REPORT: {names.PAGE: 'HTML'},
}
_INPUTS = {'data': 'String', 'budget': 'String', 'gate': 'Float'}
_COMMAND = ['python', '-m', 'thawline.pipeline.orchestrators.kubeflow.node']


def compile_spec(
    name: str,
    description: str,
    tasks: Sequence[names.Task],
    settings: Kubeflow,
    arguments: Sequence[str],
    parameters: Mapping[str, Any],
    secrets: Sequence[str],
    mount: str,
) -> str:
    """Compiles tasks and reads the result back with kfp's own loader.

    Args:
        name, description: of the pipeline, as Kubeflow shows them.
        tasks: in an order in which they can run.
        settings: common to all tasks: image, root and so on.
        arguments: of the command of all tasks.
        parameters: defaults of the parameters of a run: `data`, `budget` and `gate`.
        secrets: keys of the secret, which become environment variables.
        mount: where tasks see the volume.
    """

    def chain(
        data: str = parameters['data'],
        budget: str = parameters['budget'],
        gate: float = parameters['gate'],
    ) -> None:
        containers: list[dsl.PipelineTask] = []
        for task in tasks:
            component = _component(task, str(settings.image), arguments)
            container = component(data=data, budget=budget, gate=gate)
            container.after(*(containers[number] for number in task.upstream))
            _configure(container, task.resources, settings)
            if settings.platform == 'kubeflow':
                _attach(container, settings, secrets, mount)
            containers.append(container)
            if node_names.PUSHER in task.nodes:
                is_refused = container.outputs[names.VERDICT] == names.REFUSED
                with dsl.If(is_refused, name='not-blessed'):
                    why = container.outputs[names.WHY]
                    notice = _notice_component(str(settings.image))(why=why)
                    _configure(notice, Resources(cpu=0.5, memory='256Mi'), settings)

    decorated = dsl.pipeline(name=name, description=description, pipeline_root=settings.root)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, 'pipeline.yaml')
        compiler.Compiler().compile(decorated(chain), str(path))
        components.load_component_from_file(str(path))
        return path.read_text('utf-8')


def _component(task: names.Task, image: str, arguments: Sequence[str]) -> Any:
    """One container: its inputs, outputs and command line."""
    outputs = {name: kind for node in task.nodes for name, kind in _OUTPUTS.get(node, {}).items()}
    return _load(
        task.id,
        image,
        _COMMAND,
        [
            *('--nodes', ','.join(task.nodes)),
            *('--run', dsl.PIPELINE_JOB_ID_PLACEHOLDER),
            *('--task', {'executorInput': None}),
            *arguments,
            *(('--report', {'outputPath': names.PAGE}) if names.PAGE in outputs else ()),
        ],
        _INPUTS,
        outputs,
    )


def _notice_component(image: str) -> Any:
    """The branch for a refused model: its log shows the reasons."""
    return _load(
        'not-blessed', image, ['echo'], [{'inputValue': names.WHY}], {names.WHY: 'String'}, {}
    )


def _load(
    name: str,
    image: str,
    command: Sequence[str],
    arguments: Sequence[Any],
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
) -> Any:
    """A component from the format of component files, which needs no function for each."""
    container = {'image': image, 'command': list(command), 'args': list(arguments)}
    component = {
        'name': name,
        'inputs': [{'name': key, 'type': kind} for key, kind in inputs.items()],
        'outputs': [{'name': key, 'type': kind} for key, kind in outputs.items()],
        'implementation': {'container': container},
    }
    return components.load_component_from_text(json.dumps(component))  # JSON is YAML


def _configure(task: Any, resources: Resources, settings: Kubeflow) -> None:
    """Settings for all platforms."""
    task.set_caching_options(False)  # ML Metadata decides what must run, by the images' content
    if settings.retries:
        task.set_retry(settings.retries, backoff_duration='30s', backoff_factor=2)
    task.set_cpu_request(f'{resources.cpu:g}').set_cpu_limit(f'{resources.cpu:g}')
    task.set_memory_request(resources.memory).set_memory_limit(resources.memory)
    if resources.accelerator:
        task.set_accelerator_type(resources.accelerator)
        task.set_accelerator_limit(resources.accelerators)


def _attach(task: Any, settings: Kubeflow, secrets: Sequence[str], mount: str) -> None:
    """Settings for Kubernetes only: the shared files, and secrets as variables."""
    kubernetes.mount_pvc(task, pvc_name=settings.volume, mount_path=mount)
    if settings.secret is not None and secrets:
        kubernetes.use_secret_as_env(
            task, secret_name=settings.secret, secret_key_to_env={key: key for key in secrets}
        )
