"""A project on its way into the cluster: JSON in the arguments of each task.

Nothing has to be copied beside the compiled pipeline: each task checks the project, applies the
parameters of its run and compiles the chain from it, in under a second, the same in all tasks.
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
from thawline.pipeline.config.models import Config

DATA, BUDGET, GATE = 'data', 'budget', 'gate'
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')  # of JSON
# What concerns this machine or its schedulers alone: a new image by itself shall run nothing again.
_LEFT_OUT = {'airflow', 'kubeflow', 'output'}


class Payload(Section):
    """What a task is told.

    Attributes:
        thawline: version that scheduled the project.
        code: digest of the code that nodes run.
        config: what the user has set, as it would stand in the project's file.
        reviewed: text of the reviewed schema, where there is one.
    """

    thawline: str
    code: str
    config: dict[str, Any]
    reviewed: str | None


def of(config: Config, reviewed: str | None) -> Payload:
    """Describes a project, for this version of the code."""
    content = config.model_dump(mode='json', exclude_unset=True, exclude=_LEFT_OUT)
    content['data'].pop('schema_file', None)
    return Payload(
        thawline=thawline.__version__,
        code=code_digest.of_all_code(),
        config=content,
        reviewed=reviewed,
    )


def text(payload: Payload) -> str:
    """A payload as an argument: on one line and without two braces in a row.

    Kubeflow and Argo take `{{...}}` in arguments for placeholders. Outside of strings JSON never
    has `{{`, and inside of strings a brace can be escaped.
    """
    written = json.dumps(payload.model_dump(mode='json'), sort_keys=True, separators=(',', ':'))
    return _STRING.sub(lambda found: found[0].replace('{', r'\u007b'), written)


def read(argument: str) -> Payload:
    """Reads what `text` has written.

    Raises:
        ConfigError: it is something else, or of other code than is in this image.
    """
    try:
        found = Payload.model_validate(json.loads(argument))
    except (ValueError, RecursionError) as error:  # pydantic's own error is a ValueError too
        raise ConfigError(
            f'--project: received {errors.echo(argument)}, which thawline schedule kubeflow '
            'has not written'
        ) from error
    again = 'build the image from the same checkout, or schedule the project again from this image'
    if found.thawline != thawline.__version__:
        raise ConfigError(
            f'the project was scheduled by thawline {found.thawline}, this image has '
            f'{thawline.__version__}; {again}'
        )
    if found.code != code_digest.of_all_code():
        raise ConfigError(
            f'the project was scheduled with other code ({found.code}) than this image has '
            f'({code_digest.of_all_code()}); {again}'
        )
    return found


def parameters(config: Config) -> dict[str, str | float]:
    """The parameters of a run with their defaults, as the configuration has them."""
    return {
        DATA: config.data.source,
        BUDGET: config.training.budget or '',
        GATE: config.gate.val_accuracy,
    }


def config_of(payload: Payload, given: dict[str, Any]) -> Config:
    """The configuration of a run: the project's, with the parameters of the run.

    Args:
        payload: of the project.
        given: as `parameters`; an empty budget is none.

    Raises:
        ConfigError: a parameter is missing or cannot be used.
    """
    content: dict[str, Any] = json.loads(json.dumps(payload.config))
    for name, section, key in (
        (DATA, 'data', 'source'),
        (BUDGET, 'training', 'budget'),
        (GATE, 'gate', 'val_accuracy'),
    ):
        if name not in given:
            raise ConfigError(f'the run has no parameter {name}')
        value = given[name]
        content.setdefault(section, {})[key] = None if name == BUDGET and value == '' else value
    content['output'] = 'runs'
    try:
        return Config.model_validate(content)
    except pydantic.ValidationError as error:
        raise ConfigError(errors.explain(error, Config, 'the parameters of the run')) from error


def write_schema(reviewed: str, home: pathlib.Path) -> pathlib.Path:
    """Puts the reviewed schema under a path that depends on its content; returns that."""
    name = hashlib.sha256(reviewed.encode('utf-8')).hexdigest()[:16]
    path = home / 'scheduled_schemas' / f'{name}.pbtxt'
    if not path.is_file():
        files.write_text(path, reviewed)
    return path
