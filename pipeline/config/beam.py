"""Settings of Beam: the engine that runs the data-parallel nodes, and where it is."""

from __future__ import annotations

import os
import re
from typing import Annotated, Literal, Self, get_args

import pydantic

from thawline.components.shared.errors import ConfigError
from thawline.components.shared.settings import Count, Section

Engine = Literal['local', 'multiprocess', 'portable', 'flink', 'spark', 'dataflow']
ENGINES: tuple[str, ...] = get_args(Engine)
FLINK_VERSIONS = ('1.19', '1.20', '2.0', '2.1', '2.2')
LOCAL_ENGINES = ('multiprocess', 'portable')  # their workers are on this machine

# Tried with Beam 2.77: both report success although data are missing.
_REFUSED = {
    'dask': "Beam's DaskRunner loses data silently: it left files of 0 bytes and dropped branches",
    'ray': 'ray-beam is abandoned and loses data silently',
    'pyspark': 'beam-pyspark-runner is abandoned and loses data silently; spark reaches the same '
    'cluster',
}
# Beam options that have keys of their own here.
_OWN_KEYS = {
    'runner': 'beam.engine',
    'direct_running_mode': 'beam.engine',
    'direct_num_workers': 'beam.workers',
    'parallelism': 'beam.workers',
    'sdk_worker_parallelism': 'beam.workers',
    'job_endpoint': 'beam.job_endpoint',
    'environment_type': 'beam.worker_pool',
    'environment_config': 'beam.worker_pool',
    'environment_options': 'beam.worker_pool',
}


def refusal(engine: str) -> str | None:
    """Why a runner of Beam is not supported, or None."""
    name = engine.lower().removesuffix('runner').removeprefix('beam-').strip('-_ ')
    return _REFUSED.get(name)


def _check_engine(value: object) -> object:
    if isinstance(value, str) and value not in ENGINES:
        why = refusal(value)
        raise ValueError(f'{why + "; " if why else ""}use one of {", ".join(ENGINES)}')
    return value


def _check_address(value: object) -> object:
    if isinstance(value, str):
        match = re.fullmatch(r'([A-Za-z0-9_.-]+|\[[0-9a-fA-F:]+\]):(\d{1,5})', value)
        if not match or not 0 < int(match[2]) < 65_536:
            raise ValueError('must be host:port, for example localhost:8099')
    return value


def _check_path(value: object) -> object:
    if isinstance(value, str) and not value.strip():
        raise ValueError('must be the path of a file')
    return value


def _check_spark_master(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(
        r'local(\[(\d+|\*)\])?|spark://[^\s/:,]+:\d{1,5}', value
    ):
        raise ValueError(
            'must be spark://host:port, such as spark://spark-master:7077, or local[2]'
        )
    return value


Address = Annotated[str, pydantic.BeforeValidator(_check_address)]
Bucket = Annotated[str, pydantic.Field(pattern=r'^gs://.+')]


class Flink(Section):
    """A Flink cluster; without `beam.job_endpoint` a job server is started for the run."""

    master: Address = pydantic.Field(
        default='localhost:8081', description="REST address of the cluster's JobManager."
    )
    version: Literal['1.19', '1.20', '2.0', '2.1', '2.2'] = pydantic.Field(
        default='1.19', description='Version of the cluster; the job server must match it.'
    )
    job_server: Annotated[str, pydantic.BeforeValidator(_check_path)] | None = pydantic.Field(
        default=None,
        description="Beam's job server for this version, a jar or a folder of jars; needs Java.",
    )


class Spark(Section):
    """A Spark 3 cluster; without `beam.job_endpoint` a job server is started for the run."""

    master: Annotated[str, pydantic.BeforeValidator(_check_spark_master)] = pydantic.Field(
        default='local[2]', description='spark://host:port, or local[N] for this machine.'
    )
    job_server: Annotated[str, pydantic.BeforeValidator(_check_path)] | None = pydantic.Field(
        default=None,
        description="Beam's job server for Spark 3, a jar or a folder of jars; needs Java.",
    )

    @property
    def address(self) -> str | None:
        """host:port of the cluster's master; None if Spark runs inside the job server."""
        return self.master.removeprefix('spark://') if self.master.startswith('spark://') else None


class Dataflow(Section):
    """Google Cloud Dataflow."""

    project: str = pydantic.Field(description='Google Cloud project.')
    region: str = pydantic.Field(description='Region, such as europe-west1.')
    temp_location: Bucket = pydantic.Field(description='Folder in a bucket: gs://...')
    container: str = pydantic.Field(
        description='Container image of workers; the Dockerfile builds it.'
    )
    machine_type: str = pydantic.Field(
        default='n2-standard-8', description='Machine type of workers.'
    )
    service_account: str | None = pydantic.Field(
        default=None, description="Service account of the workers; default: the project's."
    )
    accelerator: str | None = pydantic.Field(
        default=None, description='GPUs, such as type:nvidia-l4;count:1;install-nvidia-driver.'
    )


class Beam(Section):
    """How Beam runs the data-parallel nodes."""

    engine: Annotated[Engine, pydantic.BeforeValidator(_check_engine)] = pydantic.Field(
        default='local',
        description='local: this process; multiprocess, portable: processes on this machine; '
        'flink, spark, dataflow: clusters.',
    )
    workers: Literal['auto'] | Count = pydantic.Field(
        default='auto',
        description='Workers per node; auto: as many as its data keep busy, or only this process '
        'if starting workers takes longer than they save.',
    )
    max_workers: Count | None = pydantic.Field(
        default=None,
        description='Upper limit of workers: auto; default: the cores of this machine, or 16 on a '
        'cluster.',
    )
    job_endpoint: Address | None = pydantic.Field(
        default=None,
        description='host:port of a running job server; default: one is started for the run.',
    )
    worker_pool: Address | None = pydantic.Field(
        default=None,
        description="host:port of running worker pools, as the engine's workers reach them; "
        'default: a pool is started on this machine for the run.',
    )
    flink: Flink = Flink()
    spark: Spark = Spark()
    dataflow: Dataflow | None = None
    options: tuple[str, ...] = pydantic.Field(
        default=(), description='More Beam options, each as --name=value.'
    )

    @pydantic.field_validator('options')
    @classmethod
    def _check_options(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for option in value:
            name = option.removeprefix('--').split('=')[0].replace('-', '_')
            if not option.startswith('--') or ' ' in name:
                raise ValueError(f'{option!r} is not an option; write --name=value')
            if name == 'runner' and (why := refusal(option.partition('=')[2])):
                raise ValueError(f'{option}: {why}')
            if name in _OWN_KEYS:
                raise ValueError(f'{option}: set {_OWN_KEYS[name]} instead')
        return value

    @pydantic.model_validator(mode='after')
    def _check_engine_settings(self) -> Self:
        if self.engine == 'dataflow' and self.dataflow is None:
            raise ValueError(
                'engine dataflow needs the section dataflow with project, region, temp_location '
                'and container'
            )
        for name in ('flink', 'spark'):
            server = getattr(self, name).job_server
            if self.engine == name and self.job_endpoint is None and server is None:
                raise ValueError(
                    f"engine {name} needs {name}.job_server (Beam's job server: a jar or a folder "
                    'of jars) or job_endpoint (a running one)'
                )
        return self

    @property
    def worker_limit(self) -> int:
        """The upper limit of automatic sizing."""
        if self.max_workers is not None:
            return self.max_workers
        return (os.cpu_count() or 1) if self.engine in LOCAL_ENGINES else 16


def with_engine(beam: Beam, engine: str) -> Beam:
    """The settings with another engine.

    Raises:
        ConfigError: there is no such engine, or its settings are missing.
    """
    try:
        return Beam.model_validate({**beam.model_dump(exclude_unset=True), 'engine': engine})
    except pydantic.ValidationError as error:
        problem = error.errors()[0]
        why = str(problem['msg']).removeprefix('Value error, ')
        echoed = f' Received: {engine!r}.' if problem['loc'] == ('engine',) else ''
        raise ConfigError(f'--engine: {why}.{echoed}') from error
