"""Where the files of a project are for tasks in a cluster, and what tasks there could not see.

Every task sees the projects' folder at the same path: on Vertex AI the bucket of the pipeline root,
which the platform mounts below /gcs; on Kubeflow Pipelines a PersistentVolumeClaim. Whatever else
the configuration names has to be a URL, part of the image, or below that folder.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

from thawline.components.shared.errors import ConfigError
from thawline.pipeline.config.kubeflow import BUCKET, Kubeflow
from thawline.pipeline.config.models import Config
from thawline.pipeline.config.project import WEIGHTS_BY_NAME

_CLAIM = '/thawline'
_LOOPBACK = ('localhost', '127.', '::1', '/')


def folder(settings: Kubeflow) -> str:
    """The folder with all projects, as tasks see it.

    Raises:
        ConfigError: what it depends on was not given.
    """
    if settings.root is None:
        raise ConfigError(
            'kubeflow.root: no pipeline root; give --root gs://BUCKET/FOLDER, or set it in the '
            'configuration'
        )
    found = BUCKET.fullmatch(settings.root)
    assert found is not None  # checked by the model
    if settings.platform == 'vertex':
        return f'/gcs/{found[2]}{found[3]}'
    if settings.volume is None:
        raise ConfigError(
            'kubeflow.volume: tasks on Kubeflow share files by a PersistentVolumeClaim; give '
            '--volume NAME of one in the namespace of the runs, or --platform vertex'
        )
    return _CLAIM


def home(settings: Kubeflow, name: str) -> str:
    """The folder of one project, as tasks see it."""
    return f'{folder(settings)}/{name}'


def require_visible(config: Config, settings: Kubeflow) -> None:
    """Refuses what tasks in the cluster could not see.

    Raises:
        ConfigError: with everything that they could not, and what would be right.
    """
    found = list(unseen(config, folder(settings)))
    if config.metadata.postgresql is None and settings.platform == 'vertex':
        found.append(
            'metadata: SQLite would be a file in the bucket, where no lock holds between tasks; '
            'set metadata.postgresql'
        )
    if variables(config) and settings.secret is None:
        found.append(
            f'kubeflow.secret: tasks need {", ".join(variables(config))}; give --secret, which '
            'holds a value for each'
        )
    if found:
        raise ConfigError('\n'.join(['tasks in the cluster could not run:', *_indented(found)]))


def _indented(lines: list[str]) -> list[str]:
    return [f'  {line}' for line in lines]


def unseen(config: Config, below: str) -> Iterator[str]:
    """Everything that a configuration names and tasks that see the folder `below` do not."""
    bulk = config.serving.bulk
    places = {
        'data.source': config.data.source,
        'data.root': config.data.root,
        'serving.production': config.serving.production,
        'serving.bulk.data': bulk.data if bulk else None,
        'model.weights': config.model.weights,
    }
    if config.model.weights in WEIGHTS_BY_NAME:
        del places['model.weights']
    stored = config.metadata.postgresql
    if stored is not None:
        places['metadata.postgresql.passfile'] = stored.passfile
        if stored.host.startswith(_LOOPBACK):
            yield (
                f'metadata.postgresql.host: {stored.host} is each task itself there; give the name '
                'that the database has in the cluster'
            )
    yield from _unreached(config)
    for key, place in places.items():
        if place is not None and not is_seen(place, below):
            right = f'an absolute path below {below}'
            if key in ('data.source', 'serving.bulk.data'):
                right = f'a URL such as gs://bucket/images, or {right}'
            yield f'{key}: {place} is on this machine alone; give {right}'


def _unreached(config: Config) -> Iterator[str]:
    """What the engine of Beam would need and is not there."""
    beam = config.beam
    if beam.engine == 'dataflow':
        yield (
            "beam.engine: Dataflow's workers do not see the folder that tasks share; use local or "
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
                    f'engine {beam.engine} needs one there, whose workers see the same folder'
                )


def is_seen(place: str, below: str) -> bool:
    """Whether tasks see a place: a URL, a package of the image, or a path in their folder."""
    if place.startswith('package:'):
        return True
    if '://' in place:
        return not place.startswith('file://')
    path = pathlib.PurePosixPath(place)
    return '..' not in path.parts and path.is_relative_to(below)


def variables(config: Config) -> list[str]:
    """Environment variables that a configuration names, whose values tasks need."""
    found = set[str]()
    if config.metadata.postgresql is not None and config.metadata.postgresql.password_env:
        found.add(config.metadata.postgresql.password_env)
    for target in config.notifications:
        found.update(filter(None, (target.webhook_env, target.secret_env)))
        found.update(target.headers_env.values())
    return sorted(found)
