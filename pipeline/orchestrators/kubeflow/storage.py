"""The folder of the projects that tasks in a cluster see, and what they cannot see.

Every task sees the folder at the same path: on Vertex AI the bucket of the pipeline root, which the
platform mounts below /gcs; on Kubeflow Pipelines a PersistentVolumeClaim. Everything else in the
configuration must be a URL, part of the image, or below that folder.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

from thawline.components.shared.errors import ConfigError
from thawline.pipeline.config.config import Config
from thawline.pipeline.config.kubeflow import BUCKET, Kubeflow
from thawline.pipeline.config.project import WEIGHTS_BY_NAME

_CLAIM = '/thawline'
_LOOPBACK = ('localhost', '127.', '::1', '/')


def folder(settings: Kubeflow) -> str:
    """The folder with all projects, as tasks see it."""
    if settings.root is None:
        raise ConfigError(
            'kubeflow.root: no pipeline root; give --root gs://BUCKET/FOLDER, or set it in the '
            'configuration'
        )
    bucket = BUCKET.fullmatch(settings.root)
    assert bucket is not None  # checked by the model
    if settings.platform == 'vertex':
        return f'/gcs/{bucket[2]}{bucket[3]}'
    if settings.volume is None:
        raise ConfigError(
            'kubeflow.volume: tasks on Kubeflow share files on a PersistentVolumeClaim; give '
            '--volume NAME of one in the namespace of the runs, or --platform vertex'
        )
    return _CLAIM


def home(settings: Kubeflow, name: str) -> str:
    """The folder of one project, as tasks see it."""
    return f'{folder(settings)}/{name}'


def require_visible(config: Config, settings: Kubeflow) -> None:
    """Refuses files and services that tasks in the cluster cannot reach, all at once."""
    problems = list(invisible(config, folder(settings)))
    if config.metadata.postgresql is None and settings.platform == 'vertex':
        problems.append(
            'metadata: SQLite would be a file in the bucket, where tasks cannot lock it; '
            'set metadata.postgresql'
        )
    variables = environment_variables(config)
    if variables and settings.secret is None:
        problems.append(
            f'kubeflow.secret: tasks need {", ".join(variables)}; give --secret, which holds a '
            'value for each'
        )
    if problems:
        lines = (f'  {problem}' for problem in problems)
        raise ConfigError('\n'.join(['tasks in the cluster could not run:', *lines]))


def invisible(config: Config, below: str) -> Iterator[str]:
    """A line for each thing in a configuration that tasks with the folder `below` cannot reach."""
    bulk = config.serving.bulk
    paths = {
        'data.source': config.data.source,
        'data.root': config.data.root,
        'serving.production': config.serving.production,
        'serving.bulk.data': bulk.data if bulk else None,
        'model.weights': config.model.weights,
    }
    if config.model.weights in WEIGHTS_BY_NAME:
        del paths['model.weights']
    database = config.metadata.postgresql
    if database is not None:
        paths['metadata.postgresql.passfile'] = database.passfile
        if database.host.startswith(_LOOPBACK):
            yield (
                f'metadata.postgresql.host: in the cluster, {database.host} is each task itself; '
                'give the name of the database in the cluster'
            )
    yield from _unreachable_services(config)
    for key, path in paths.items():
        if path is not None and not is_visible(path, below):
            remedy = f'an absolute path below {below}'
            if key in ('data.source', 'serving.bulk.data'):
                remedy = f'a URL such as gs://bucket/images, or {remedy}'
            yield f'{key}: {path} exists only on this machine; give {remedy}'


def _unreachable_services(config: Config) -> Iterator[str]:
    """What the engine of Beam needs and cannot reach."""
    beam = config.beam
    if beam.engine == 'dataflow':
        yield (
            "beam.engine: Dataflow's workers do not see the tasks' shared folder; use local or "
            'multiprocess'
        )
    if beam.engine in ('flink', 'spark'):
        for key, address in (
            ('job_endpoint', beam.job_endpoint),
            ('worker_pool', beam.worker_pool),
        ):
            if address is None or address.startswith(_LOOPBACK):
                yield (
                    f'beam.{key}: {address or "nothing"} does not reach a server in the cluster; '
                    f'engine {beam.engine} needs one there, with workers that see the same folder'
                )


def is_visible(location: str, below: str) -> bool:
    """Whether tasks see a URL, a package of the image, or a path in their folder."""
    if location.startswith('package:'):
        return True
    if '://' in location:
        return not location.startswith('file://')
    path = pathlib.PurePosixPath(location)
    return '..' not in path.parts and path.is_relative_to(below)


def environment_variables(config: Config) -> list[str]:
    """Environment variables that a configuration names, whose values tasks need."""
    names = set[str]()
    if config.metadata.postgresql is not None and config.metadata.postgresql.password_env:
        names.add(config.metadata.postgresql.password_env)
    for target in config.notifications:
        names.update(filter(None, (target.webhook_env, target.secret_env)))
        names.update(target.headers_env.values())
    return sorted(names)
