"""Settings of Kubeflow Pipelines and Vertex AI: platform, storage and resources of nodes."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

import pydantic

from thawline.components.shared.settings import Count, Positive, Section
from thawline.pipeline.config.task_grouping import Policy

BUCKET = re.compile(r'(gs|s3|minio)://([a-z0-9][a-z0-9._-]{1,221}[a-z0-9])((?:/[\w.-]+)*)/?')
_PART = r'[a-z0-9]+(?:[._-]+[a-z0-9]+)*'
_IMAGE = re.compile(
    rf'(?:[A-Za-z0-9.-]+(?::\d+)?/)?{_PART}(?:/{_PART})*'
    r'(?P<tag>:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?P<digest>@sha256:[0-9a-f]{64})?'
)
_SECRET_VERSION = re.compile(r'projects/[^/\s]+/secrets/[^/\s]+/versions/[^/\s]+')
_KUBERNETES_NAME = re.compile(r'[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?')
_MEMORY = r'^[1-9]\d*(?:\.\d+)?(?:[KMGT]i?)$'


class Resources(Section):
    """Requests and limits of a node's container."""

    cpu: Annotated[Positive, pydantic.Field(le=1024)] | None = pydantic.Field(
        default=None, description='CPU cores.'
    )
    memory: Annotated[str, pydantic.Field(pattern=_MEMORY)] | None = pydantic.Field(
        default=None, description='Memory with its unit, such as 16Gi.'
    )
    accelerator: str | None = pydantic.Field(
        default=None,
        description='Kubeflow: nvidia.com/gpu; Vertex AI: a type such as NVIDIA_L4.',
    )
    accelerators: Count = pydantic.Field(default=1, description='Number of accelerators.')


class Kubeflow(Section):
    """What `thawline schedule kubeflow` compiles."""

    platform: Literal['kubeflow', 'vertex'] = pydantic.Field(
        default='kubeflow', description='Kubeflow Pipelines v2 or Vertex AI Pipelines.'
    )
    image: str | None = pydantic.Field(
        default=None,
        description='Container image with a tag or digest, built from the Dockerfile and pushed to '
        'a registry that the cluster can reach.',
    )
    root: str | None = pydantic.Field(
        default=None,
        description='Pipeline root, a folder in a bucket: gs://bucket/thawline.',
    )
    volume: str | None = pydantic.Field(
        default=None,
        description='Kubeflow: PersistentVolumeClaim with the projects, mounted by all tasks. '
        'Vertex AI mounts the bucket by itself.',
    )
    secret: str | None = pydantic.Field(
        default=None,
        description='Kubeflow: Secret with one key per environment variable that the configuration '
        'names. Vertex AI: projects/P/secrets/S/versions/V, with a JSON object of them.',
    )
    group: Policy = pydantic.Field(
        default='phases',
        description='Which nodes share a task and so one container. none: no two; cheap: cheap '
        'nodes join the heavy one before them; phases: those of data, images, training, '
        'evaluation; all: all before the push, and all after it.',
    )
    retries: Annotated[int, pydantic.Field(ge=0, le=10)] = pydantic.Field(
        default=1, description='Retries of a failed task; training resumes where it stopped.'
    )
    resources: dict[str, Resources] = pydantic.Field(
        default={},
        description='Resources of nodes by name: {Trainer: {cpu: 8, memory: 32Gi, accelerator: '
        'nvidia.com/gpu, accelerators: 1}}. A task gets the maximum over its nodes.',
    )

    @pydantic.field_validator('image')
    @classmethod
    def _check_image(cls, value: str | None) -> str | None:
        if value is None:
            return value
        match = _IMAGE.fullmatch(value)
        if not match:
            raise ValueError(
                'must be the name of an image, such as registry.example/team/thawline:0.1.0'
            )
        if not match['tag'] and not match['digest']:
            raise ValueError(
                f'needs a tag or digest, so that runs are traceable: {value}:TAG or @sha256:...'
            )
        return value

    @pydantic.field_validator('root')
    @classmethod
    def _check_root(cls, value: str | None) -> str | None:
        if value is not None and not BUCKET.fullmatch(value):
            raise ValueError(
                'must be a folder in a bucket that all tasks can reach: gs://bucket/folder, '
                's3://bucket/folder or minio://bucket/folder'
            )
        return value

    @pydantic.field_validator('volume')
    @classmethod
    def _check_volume(cls, value: str | None) -> str | None:
        if value is not None and not _KUBERNETES_NAME.fullmatch(value):
            raise ValueError('must be the name of a PersistentVolumeClaim, such as thawline')
        return value

    @pydantic.model_validator(mode='after')
    def _check_platform(self) -> Self:
        if self.platform == 'vertex':
            if self.volume is not None:
                raise ValueError(
                    f'volume {self.volume!r} is for platform kubeflow only: Vertex AI mounts the '
                    'bucket of root in all tasks'
                )
            if self.root is not None and not self.root.startswith('gs://'):
                raise ValueError(f'root is {self.root}; Vertex AI needs a bucket on gs://')
        if self.secret is not None:
            pattern, example = (
                (_SECRET_VERSION, 'projects/acme/secrets/thawline/versions/latest')
                if self.platform == 'vertex'
                else (_KUBERNETES_NAME, 'thawline')
            )
            if not pattern.fullmatch(self.secret):
                raise ValueError(
                    f'secret is {self.secret!r}; for platform {self.platform} it must be the name '
                    f'of a secret, such as {example}'
                )
        return self
