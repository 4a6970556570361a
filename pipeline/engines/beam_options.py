"""Beam options of a node, from the engine's settings and the addresses of its services. Pure."""

from __future__ import annotations

import dataclasses
import json
import re

from thawline.pipeline.config.beam import Beam, Dataflow
from thawline.pipeline.engines import worker_code

# Compiled into every pipeline, whatever engine it runs on: TFX makes Beam options part of the cache
# key, and another engine is no reason to run a node again.
IN_PROCESS = (
    # Beam's default runner first tries Prism, which downloads a binary.
    '--runner=FnApiRunner',
    '--direct_running_mode=in_memory',
    # Without a flag that says where workers get TFX from, every Beam node packages TFX for remote
    # workers (tfx.utils.dependency_utils, seconds a node). Our workers have it installed.
    '--sdk_container_image=none',
)
# How long Flink and Spark keep an idle worker, in milliseconds. By default each stage ends its
# workers, and the next one asks for new ones.
_IDLE_WORKER_MILLIS = 5_000
_JOB_SERVER_TIMEOUT = 60  # seconds a call, not counting the run itself


@dataclasses.dataclass(frozen=True)
class Endpoints:
    """host:port of each service.

    Attributes:
        worker_code: what the workers must run; see `worker_code`.
    """

    job_server: str
    worker_pool: str
    worker_code: str


def in_process(beam: Beam) -> list[str]:
    return [*IN_PROCESS, *beam.options]


def of_node(beam: Beam, workers: int, endpoints: Endpoints | None, job: str) -> list[str]:
    """Options of a node with at least one worker; no endpoints for engines without services."""
    options = {
        'local': lambda: list(IN_PROCESS),
        'multiprocess': lambda: _multiprocess(workers),
        'portable': lambda: [*_portable(endpoints), f'--direct_num_workers={workers}'],
        'flink': lambda: [*_on_cluster(endpoints), f'--parallelism={workers}'],
        'spark': lambda: _on_cluster(endpoints),
        'dataflow': lambda: _dataflow(beam.dataflow, workers),
    }[beam.engine]()
    name = [] if beam.engine in ('local', 'multiprocess') else [f'--job_name={job}']
    return [*options, *name, *beam.options]


def job_name(pipeline: str, node: str, number: str) -> str:
    """A name that Dataflow accepts too: lower-case letters, digits and -, at most 63."""
    text = re.sub(r'[^a-z0-9]+', '-', f'{pipeline}-{node}'.lower()).strip('-')
    return f'thawline-{text}'[: 62 - len(number)].rstrip('-') + f'-{number.lower()}'


def _multiprocess(workers: int) -> list[str]:
    return [
        IN_PROCESS[0],
        '--direct_running_mode=multi_processing',
        f'--direct_num_workers={workers}',
        IN_PROCESS[2],
    ]


def _portable(endpoints: Endpoints | None) -> list[str]:
    if endpoints is None:
        raise ValueError('endpoints are missing. Received: None')
    return [
        '--runner=PortableRunner',
        f'--job_endpoint={endpoints.job_server}',
        f'--job_server_timeout={_JOB_SERVER_TIMEOUT}',
        '--environment_type=EXTERNAL',
        f'--environment_config={_environment(endpoints)}',
        IN_PROCESS[2],
    ]


def _environment(endpoints: Endpoints) -> str:
    parameters = {worker_code.PARAMETER: endpoints.worker_code}
    return json.dumps({'url': endpoints.worker_pool, 'params': parameters})


def _on_cluster(endpoints: Endpoints | None) -> list[str]:
    return [*_portable(endpoints), f'--environment_cache_millis={_IDLE_WORKER_MILLIS}']


def _dataflow(settings: Dataflow | None, workers: int) -> list[str]:
    if settings is None:
        raise ValueError('the section dataflow is missing. Received: None')
    options = [
        '--runner=DataflowRunner',
        f'--project={settings.project}',
        f'--region={settings.region}',
        f'--temp_location={settings.temp_location}',
        f'--sdk_container_image={settings.container}',
        f'--worker_machine_type={settings.machine_type}',
        f'--max_num_workers={workers}',
        # TensorFlow uses all cores of a machine by itself: one process a machine, not one a core.
        '--experiments=no_use_multiple_sdk_containers',
        '--experiments=use_runner_v2',
    ]
    if settings.service_account:
        options.append(f'--service_account_email={settings.service_account}')
    if settings.accelerator:
        options.append(f'--dataflow_service_options=worker_accelerator={settings.accelerator}')
    return options
