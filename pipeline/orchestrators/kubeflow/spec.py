"""Tasks as Kubeflow's intermediate representation (PipelineSpec, YAML). The one importer of kfp.

Each task is a container that runs some nodes (`kubeflow_node.py`). Beside the project's own records
it tells Kubeflow what its pages can show: the measures of the gate, the report, and a branch
`not-blessed` that runs for a refused model alone.
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
from thawline.pipeline.orchestrators.kubeflow import tasks as known

try:
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # on Python versions to come
        from kfp import compiler, components, dsl, kubernetes
except ImportError as error:
    raise ConfigError(
        f"kfp cannot be imported ({error}); install it with: pip install 'thawline[kfp]'"
    ) from error

_OUTPUTS = {
    node_names.EVALUATOR: {known.MEASURES: 'Metrics'},
    node_names.PUSHER: {known.VERDICT: 'String', known.WHY: 'String'},
    node_names.REPORT: {known.PAGE: 'HTML'},
}
_INPUTS = {'data': 'String', 'budget': 'String', 'gate': 'Float'}
_COMMAND = ['python', '-m', 'thawline.pipeline.orchestrators.kubeflow.node']


def compiled(
    name: str,
    description: str,
    tasks: Sequence[known.Task],
    settings: Kubeflow,
    arguments: Sequence[str],
    parameters: Mapping[str, Any],
    secrets: Sequence[str],
    mount: str,
) -> str:
    """Compiles tasks and reads the result back with kfp's own loader.

    Args:
        name: of the pipeline, as Kubeflow takes it.
        description: shown beside it.
        tasks: in an order in which they can run.
        settings: image, root and what else is the same for all.
        arguments: of the command of each task, beside those of its own.
        parameters: defaults of the parameters of a run: `data`, `budget` and `gate`.
        secrets: keys of the secret, which become environment variables.
        mount: where tasks see the volume.
    """

    def chain(
        data: str = parameters['data'],
        budget: str = parameters['budget'],
        gate: float = parameters['gate'],
    ) -> None:
        made: list[dsl.PipelineTask] = []
        for task in tasks:
            run = _component(task, str(settings.image), arguments)
            one = run(data=data, budget=budget, gate=gate)
            one.after(*(made[number] for number in task.upstream))
            _configure(one, task.resources, settings)
            if settings.platform == 'kubeflow':
                _attach(one, settings, secrets, mount)
            made.append(one)
            if node_names.PUSHER in task.nodes:
                with dsl.If(one.outputs[known.VERDICT] == known.REFUSED, name='not-blessed'):
                    told = _told(str(settings.image))(why=one.outputs[known.WHY])
                    told.set_caching_options(False)
                    _configure(told, Resources(cpu=0.5, memory='256Mi'), settings)

    decorated = dsl.pipeline(name=name, description=description, pipeline_root=settings.root)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, 'pipeline.yaml')
        compiler.Compiler().compile(decorated(chain), str(path))
        components.load_component_from_file(str(path))
        return path.read_text('utf-8')


def _component(task: known.Task, image: str, arguments: Sequence[str]) -> Any:
    """One container: its inputs, outputs and command line."""
    outputs = {name: kind for node in task.nodes for name, kind in _OUTPUTS.get(node, {}).items()}
    return _loaded(
        task.id,
        image,
        _COMMAND,
        [
            *('--nodes', ','.join(task.nodes)),
            *('--run', dsl.PIPELINE_JOB_ID_PLACEHOLDER),
            *('--task', {'executorInput': None}),
            *arguments,
            *(('--report', {'outputPath': known.PAGE}) if known.PAGE in outputs else ()),
        ],
        _INPUTS,
        outputs,
    )


def _told(image: str) -> Any:
    """What the branch for a refused model shows: its log is the gate's reasons."""
    return _loaded(
        'not-blessed', image, ['echo'], [{'inputValue': known.WHY}], {known.WHY: 'String'}, {}
    )


def _loaded(
    name: str,
    image: str,
    command: Sequence[str],
    arguments: Sequence[Any],
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
) -> Any:
    """A container in the format of component files, which needs no function a component."""
    container = {'image': image, 'command': list(command), 'args': list(arguments)}
    written = {
        'name': name,
        'inputs': [{'name': one, 'type': kind} for one, kind in inputs.items()],
        'outputs': [{'name': one, 'type': kind} for one, kind in outputs.items()],
        'implementation': {'container': container},
    }
    return components.load_component_from_text(json.dumps(written))  # JSON is YAML


def _configure(task: Any, resources: Resources, settings: Kubeflow) -> None:
    """What every platform understands."""
    task.set_caching_options(False)  # ML Metadata decides what has to run, by what images say
    if settings.retries:
        task.set_retry(settings.retries, backoff_duration='30s', backoff_factor=2)
    task.set_cpu_request(f'{resources.cpu:g}').set_cpu_limit(f'{resources.cpu:g}')
    task.set_memory_request(resources.memory).set_memory_limit(resources.memory)
    if resources.accelerator:
        task.set_accelerator_type(resources.accelerator)
        task.set_accelerator_limit(resources.accelerators)


def _attach(task: Any, settings: Kubeflow, secrets: Sequence[str], mount: str) -> None:
    """What Kubernetes alone understands: the shared files, and secrets as variables."""
    kubernetes.mount_pvc(task, pvc_name=settings.volume, mount_path=mount)
    if settings.secret is not None and secrets:
        kubernetes.use_secret_as_env(
            task, secret_name=settings.secret, secret_key_to_env={one: one for one in secrets}
        )
