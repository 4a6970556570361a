"""How Kubeflow Pipelines or Vertex AI runs a project: where it is kept and what each node gets."""

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
    """What a node's container gets, at least and at most."""

    cpu: Annotated[Positive, pydantic.Field(le=1024)] | None = pydantic.Field(
        default=None, description='Processors.'
    )
    memory: Annotated[str, pydantic.Field(pattern=_MEMORY)] | None = pydantic.Field(
        default=None, description='With its unit, such as 16Gi.'
    )
    accelerator: str | None = pydantic.Field(
        default=None,
        description='nvidia.com/gpu on Kubeflow; on Vertex AI a type, such as NVIDIA_L4.',
    )
    accelerators: Count = pydantic.Field(default=1, description='How many of them.')


class Kubeflow(Section):
    """What `thawline schedule kubeflow` compiles."""

    platform: Literal['kubeflow', 'vertex'] = pydantic.Field(
        default='kubeflow', description='Kubeflow Pipelines, version 2; or Vertex AI Pipelines.'
    )
    image: str | None = pydantic.Field(
        default=None,
        description="The container image, with a tag or digest: what the project's Dockerfile "
        'builds, in a registry that the cluster reaches.',
    )
    root: str | None = pydantic.Field(
        default=None,
        description='Pipeline root: a folder in a bucket, such as gs://bucket/thawline.',
    )
    volume: str | None = pydantic.Field(
        default=None,
        description='Kubeflow: the PersistentVolumeClaim that holds the projects, shared by all '
        'tasks; Vertex AI shows the bucket to tasks by itself.',
    )
    secret: str | None = pydantic.Field(
        default=None,
        description='Kubeflow: the Secret with a key for each environment variable that the '
        'configuration names; Vertex AI: projects/P/secrets/S/versions/V, whose payload is a JSON '
        'object of them.',
    )
    group: Policy = pydantic.Field(
        default='phases',
        description='Nodes that share a task, and so one container and import of TensorFlow: '
        'none; cheap ones with the heavy one before them; those of a phase (data, images, '
        'training, evaluation); or all before and all after the push.',
    )
    retries: Annotated[int, pydantic.Field(ge=0, le=10)] = pydantic.Field(
        default=1, description='How often a failed task is tried again; a training resumes.'
    )
    resources: dict[str, Resources] = pydantic.Field(
        default={},
        description='Of nodes by name: {Trainer: {cpu: 8, memory: 32Gi, accelerator: '
        'nvidia.com/gpu, accelerators: 1}}; a task gets the most that any of its nodes needs.',
    )

    @pydantic.field_validator('image')
    @classmethod
    def _pinned(cls, value: str | None) -> str | None:
        if value is None:
            return value
        found = _IMAGE.fullmatch(value)
        if not found:
            raise ValueError(
                'must be the name of an image, such as registry.example/team/thawline:0.1.0'
            )
        if not found['tag'] and not found['digest']:
            raise ValueError(
                f'has neither a tag nor a digest, so that nobody could say what ran; give {value}'
                ':TAG or @sha256:...'
            )
        return value

    @pydantic.field_validator('root')
    @classmethod
    def _bucket(cls, value: str | None) -> str | None:
        if value is not None and not BUCKET.fullmatch(value):
            raise ValueError(
                'must be a folder in a bucket that all tasks reach: gs://bucket/folder, '
                's3://bucket/folder or minio://bucket/folder'
            )
        return value

    @pydantic.field_validator('volume')
    @classmethod
    def _claim(cls, value: str | None) -> str | None:
        if value is not None and not _KUBERNETES_NAME.fullmatch(value):
            raise ValueError('must be the name of a PersistentVolumeClaim, such as thawline')
        return value

    @pydantic.model_validator(mode='after')
    def _fits_platform(self) -> Self:
        if self.platform == 'vertex':
            if self.volume is not None:
                raise ValueError(
                    f'volume {self.volume!r} is for platform kubeflow alone: Vertex AI mounts no '
                    'claims, it shows the bucket of root to all tasks'
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
