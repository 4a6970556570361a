"""Notifications that are sent when a run ends."""

from __future__ import annotations

import re
import typing
from typing import Annotated, Any, Literal, Self

import pydantic

from thawline.components.shared.settings import Duration, Section
from thawline.pipeline.system import urls

Event = Literal[
    'blessed',
    'refused',
    'finished',
    'stopped_by_data',
    'bad_configuration',
    'failed',
    'interrupted',
]
EVENTS: tuple[Event, ...] = typing.get_args(Event)
Format = Literal['json', 'slack', 'teams', 'discord']

_RESERVED = ('content-length', 'content-type', 'host', 'transfer-encoding')
_RESERVED_PREFIX = 'webhook-'


def _check_variable(value: Any) -> Any:
    """Refuses what is not a variable name, such as the secret itself."""
    if not isinstance(value, str) or not re.fullmatch(r'[A-Za-z_][A-Za-z0-9_]*', value):
        raise ValueError(
            'must be the name of an environment variable, such as THAWLINE_WEBHOOK_SECRET; the '
            'secret itself does not belong in this file'
        )
    return value


def _check_header(value: Any) -> Any:
    """Refuses what is not a header name, and headers that every notification sets."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", value):
        raise ValueError('must be the name of a header, such as Authorization')
    if value.lower() in _RESERVED or value.lower().startswith(_RESERVED_PREFIX):
        raise ValueError('is set by every notification; use another header')
    return value


Variable = Annotated[str, pydantic.BeforeValidator(_check_variable)]
_Header = Annotated[str, pydantic.BeforeValidator(_check_header)]


class Target(Section):
    """A webhook or a command to notify."""

    webhook: str | None = pydantic.Field(default=None, description='URL to post to, https or http.')
    webhook_env: Variable | None = pydantic.Field(
        default=None,
        description='Environment variable that holds the URL, if the URL is a secret.',
    )
    command: Annotated[tuple[str, ...], pydantic.Field(min_length=1)] | None = pydantic.Field(
        default=None,
        description='Program and arguments. It runs in the folder of this file, with the JSON on '
        'standard input and THAWLINE_* variables.',
    )
    events: Annotated[tuple[Event, ...], pydantic.Field(min_length=1)] = pydantic.Field(
        default=EVENTS,
        description='Outcomes to notify about: blessed, refused, finished (succeeded without a '
        'verdict), stopped_by_data, bad_configuration, failed, interrupted.',
    )
    format: Format = pydantic.Field(
        default='json', description='Body of a webhook: JSON with everything, or a chat message.'
    )
    secret_env: Variable | None = pydantic.Field(
        default=None,
        description='Environment variable with the secret that signs a webhook: whsec_ and 24 to '
        '64 random bytes in base64; during a rotation several, separated by spaces.',
    )
    headers_env: dict[_Header, Variable] = pydantic.Field(
        default={},
        description='More headers of a webhook: {Authorization: NAME}, where NAME is the '
        'environment variable with the value.',
    )
    timeout: Duration = pydantic.Field(
        default='10s', description='Time limit of a request or a command.'
    )
    retry_for: Duration = pydantic.Field(
        default='30s', description='How long a failing webhook is retried.'
    )

    @pydantic.field_validator('webhook')
    @classmethod
    def _check_url(cls, value: str | None) -> str | None:
        if value is None:
            return value
        if problem := urls.problem(value):
            raise ValueError(problem)
        if urls.credentials(value):
            raise ValueError(
                'contains a user name or password; put the whole URL into an environment variable '
                'and name it in webhook_env'
            )
        return value

    @pydantic.model_validator(mode='after')
    def _check_channel(self) -> Self:
        names = ('webhook', 'webhook_env', 'command')
        channels = [name for name in names if getattr(self, name) is not None]
        if len(channels) != 1:
            raise ValueError(
                f'has {" and ".join(channels) or "none of webhook, webhook_env and command"}; each '
                'target needs exactly one of these three'
            )
        unused = [name for name in ('secret_env', 'headers_env') if getattr(self, name)]
        unused += ['format'] if self.format != 'json' else []
        if self.command is not None and unused:
            raise ValueError(f'{" and ".join(unused)} can only be used with webhook, not command')
        return self
