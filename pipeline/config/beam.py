"""Settings of Beam: which engine runs the data-parallel nodes, and where it is."""

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
MACHINE = ('multiprocess', 'portable')  # engines whose workers are on this machine

# Tried with Beam 2.77: both end as if all were well.
_REFUSED = {
    'dask': "Beam's DaskRunner loses data silently: it left files of 0 bytes and dropped branches",
    'ray': 'ray-beam is abandoned and loses data silently',
    'pyspark': 'beam-pyspark-runner is abandoned and loses data silently; spark is the portable '
    'way to the same cluster',
}
# Options that say where and how much a node runs; here they have keys of their own.
_OWN = {
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
    """Why an engine that Beam can run on is not one of ours."""
    name = engine.lower().removesuffix('runner').removeprefix('beam-').strip('-_ ')
    return _REFUSED.get(name)


def _known_engine(value: object) -> object:
    if isinstance(value, str) and value not in ENGINES:
        why = refusal(value)
        raise ValueError(f'{why + "; " if why else ""}use one of {", ".join(ENGINES)}')
    return value


def _address(value: object) -> object:
    """Refuses what is no `host:port`."""
    if isinstance(value, str):
        found = re.fullmatch(r'([A-Za-z0-9_.-]+|\[[0-9a-fA-F:]+\]):(\d{1,5})', value)
        if not found or not 0 < int(found[2]) < 65_536:
            raise ValueError('must be host:port, for example localhost:8099')
    return value


def _file(value: object) -> object:
    if isinstance(value, str) and not value.strip():
        raise ValueError('must be the path of a file')
    return value


def _spark_master(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(
        r'local(\[(\d+|\*)\])?|spark://[^\s/:,]+:\d{1,5}', value
    ):
        raise ValueError(
            'must be spark://host:port, such as spark://spark-master:7077, or local[2]'
        )
    return value


Address = Annotated[str, pydantic.BeforeValidator(_address)]
Bucket = Annotated[str, pydantic.Field(pattern=r'^gs://.+')]


class Flink(Section):
    """A Flink cluster; its job server is started here where `beam.job_endpoint` names none."""

    master: Address = pydantic.Field(
        default='localhost:8081', description="REST address of the cluster's JobManager."
    )
    version: Literal['1.19', '1.20', '2.0', '2.1', '2.2'] = pydantic.Field(
        default='1.19', description='Of the cluster, as far as the job server has to match it.'
    )
    job_server: Annotated[str, pydantic.BeforeValidator(_file)] | None = pydantic.Field(
        default=None,
        description="Beam's job server for that version: a jar, or a folder of jars; needs Java.",
    )


class Spark(Section):
    """A Spark 3 cluster; its job server is started here where `beam.job_endpoint` names none."""

    master: Annotated[str, pydantic.BeforeValidator(_spark_master)] = pydantic.Field(
        default='local[2]', description='spark://host:port, or local[N] for this machine.'
    )
    job_server: Annotated[str, pydantic.BeforeValidator(_file)] | None = pydantic.Field(
        default=None,
        description="Beam's job server for Spark 3: a jar, or a folder of jars; needs Java.",
    )

    @property
    def address(self) -> str | None:
        """host:port of the cluster's master; None where Spark runs in its job server."""
        return self.master.removeprefix('spark://') if self.master.startswith('spark://') else None


class Dataflow(Section):
    """Google Cloud Dataflow."""

    project: str = pydantic.Field(description='Project that pays.')
    region: str = pydantic.Field(description='For example europe-west1.')
    temp_location: Bucket = pydantic.Field(description='A folder in a bucket, gs://...')
    container: str = pydantic.Field(description='Image of the workers, from the Dockerfile.')
    machine_type: str = pydantic.Field(default='n2-standard-8', description='Of the workers.')
    service_account: str | None = pydantic.Field(
        default=None, description="That the workers run as; default: the project's own."
    )
    accelerator: str | None = pydantic.Field(
        default=None, description='Such as type:nvidia-l4;count:1;install-nvidia-driver.'
    )


class Beam(Section):
    """How Beam runs the data-parallel nodes."""

    engine: Annotated[Engine, pydantic.BeforeValidator(_known_engine)] = pydantic.Field(
        default='local',
        description='local: in this process; multiprocess and portable: processes on this machine; '
        'flink, spark, dataflow: clusters.',
    )
    workers: Literal['auto'] | Count = pydantic.Field(
        default='auto',
        description='Workers of a node; auto: as many as its data keep busy, and none but this '
        'process where starting them costs more than they save.',
    )
    max_workers: Count | None = pydantic.Field(
        default=None,
        description='Most of them where workers is auto; default: cores of this machine, or 16 on '
        'a cluster.',
    )
    job_endpoint: Address | None = pydantic.Field(
        default=None,
        description='A job server that runs already; default: one is started for the run.',
    )
    worker_pool: Address | None = pydantic.Field(
        default=None,
        description="Worker pools that run already, as the engine's workers see them; default: one "
        'on this machine is started for the run.',
    )
    flink: Flink = Flink()
    spark: Spark = Spark()
    dataflow: Dataflow | None = None
    options: tuple[str, ...] = pydantic.Field(
        default=(), description='Further Beam options, each as --name=value.'
    )

    @pydantic.field_validator('options')
    @classmethod
    def _no_second_say(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for option in value:
            name = option.removeprefix('--').split('=')[0].replace('-', '_')
            if not option.startswith('--') or ' ' in name:
                raise ValueError(f'{option!r} is no option; write --name=value')
            if name == 'runner' and (why := refusal(option.partition('=')[2])):
                raise ValueError(f'{option}: {why}')
            if name in _OWN:
                raise ValueError(f'{option}: set {_OWN[name]} instead')
        return value

    @pydantic.model_validator(mode='after')
    def _complete(self) -> Self:
        return self.checked()

    def checked(self) -> Self:
        """Itself.

        Raises:
            ValueError: something that the engine needs is missing.
        """
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
                    'of jars) or job_endpoint (one that runs already)'
                )
        return self

    @property
    def most_workers(self) -> int:
        """The upper bound of automatic sizing."""
        if self.max_workers is not None:
            return self.max_workers
        return (os.cpu_count() or 1) if self.engine in MACHINE else 16


def on(beam: Beam, engine: str | None) -> Beam:
    """The settings with another engine; None keeps the one that they name.

    Raises:
        ConfigError: there is no such engine, or something that it needs is missing.
    """
    if engine is None:
        return beam
    try:
        return Beam.model_validate({**beam.model_dump(exclude_unset=True), 'engine': engine})
    except pydantic.ValidationError as error:
        found = error.errors()[0]
        why = str(found['msg']).removeprefix('Value error, ')
        echoed = f' Received: {engine!r}.' if found['loc'] == ('engine',) else ''
        raise ConfigError(f'--engine: {why}.{echoed}') from error
