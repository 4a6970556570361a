"""A project as JSON in the arguments of each task in the cluster.

Nothing needs to be copied beside the compiled pipeline: each task checks the project, applies the
parameters of its run and compiles the chain, in under a second, with the same result in all tasks.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
import re
from typing import Any

import pydantic

import thawline
from thawline.components.shared import code_digest, files
from thawline.components.shared.errors import ConfigError
from thawline.components.shared.settings import Section
from thawline.pipeline.config import errors
from thawline.pipeline.config.config import Config

DATA, BUDGET, GATE = 'data', 'budget', 'gate'
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')  # of JSON
# Settings of this machine or of schedulers: a new image alone must not run nodes again.
_LEFT_OUT = {'airflow', 'kubeflow', 'output'}


class Payload(Section):
    """A project for a task.

    Attributes:
        thawline: version that scheduled the project.
        code: digest of the code that nodes run.
        config: the user's settings, as in the project's file.
        reviewed: text of the reviewed schema, if there is one.
    """

    thawline: str
    code: str
    config: dict[str, Any]
    reviewed: str | None


def describe(config: Config, reviewed: str | None) -> Payload:
    """A project with this version of the code."""
    content = config.model_dump(mode='json', exclude_unset=True, exclude=_LEFT_OUT)
    content['data'].pop('schema_file', None)
    return Payload(
        thawline=thawline.__version__,
        code=code_digest.of_all_code(),
        config=content,
        reviewed=reviewed,
    )


def to_argument(payload: Payload) -> str:
    """A payload on one line and without `{{`, which is a placeholder for Kubeflow and Argo.

    JSON never has `{{` outside of strings, and a brace in a string can be escaped.
    """
    text = json.dumps(payload.model_dump(mode='json'), sort_keys=True, separators=(',', ':'))
    return _STRING.sub(lambda match: match[0].replace('{', r'\u007b'), text)


def from_argument(argument: str) -> Payload:
    """Reads the result of `to_argument`; refuses one of other code than this image's."""
    try:
        payload = Payload.model_validate(json.loads(argument))
    except (ValueError, RecursionError) as error:  # pydantic's own error is a ValueError too
        raise ConfigError(
            f'--project: received {errors.echo(argument)}, which was not written by thawline '
            'schedule kubeflow'
        ) from error
    remedy = 'build the image from the same checkout, or schedule the project again from this image'
    if payload.thawline != thawline.__version__:
        raise ConfigError(
            f'the project was scheduled by thawline {payload.thawline}, this image has '
            f'{thawline.__version__}; {remedy}'
        )
    if payload.code != code_digest.of_all_code():
        raise ConfigError(
            f'the project was scheduled with other code ({payload.code}) than this image has '
            f'({code_digest.of_all_code()}); {remedy}'
        )
    return payload


def default_parameters(config: Config) -> dict[str, str | float]:
    """The parameters of a run with their defaults from the configuration."""
    return {
        DATA: config.data.source,
        BUDGET: config.training.budget or '',
        GATE: config.gate.val_accuracy,
    }


def apply_parameters(payload: Payload, parameters: dict[str, Any]) -> Config:
    """The project's configuration with the parameters of a run; an empty budget is none."""
    content: dict[str, Any] = json.loads(json.dumps(payload.config))
    for name, section, key in (
        (DATA, 'data', 'source'),
        (BUDGET, 'training', 'budget'),
        (GATE, 'gate', 'val_accuracy'),
    ):
        if name not in parameters:
            raise ConfigError(f'the run has no parameter {name}')
        value = parameters[name]
        content.setdefault(section, {})[key] = None if name == BUDGET and value == '' else value
    content['output'] = 'runs'
    try:
        return Config.model_validate(content)
    except pydantic.ValidationError as error:
        raise ConfigError(errors.explain(error, Config, 'the parameters of the run')) from error


def write_schema(reviewed: str, home: pathlib.Path) -> pathlib.Path:
    """Writes the reviewed schema to a path that depends on its content; returns the path."""
    name = hashlib.sha256(reviewed.encode('utf-8')).hexdigest()[:16]
    path = home / 'scheduled_schemas' / f'{name}.pbtxt'
    if not path.is_file():
        files.write_text(path, reviewed)
    return path
