"""Whom to tell how a run ended, and how."""

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


def _variable(value: Any) -> Any:
    """Refuses what is no name of an environment variable, such as the secret itself."""
    if not isinstance(value, str) or not re.fullmatch(r'[A-Za-z_][A-Za-z0-9_]*', value):
        raise ValueError(
            'must be the name of an environment variable, such as THAWLINE_WEBHOOK_SECRET; what it '
            'holds does not belong into this file'
        )
    return value


def _header(value: Any) -> Any:
    """Refuses what is no name of a header, or one that is not the user's to set."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", value):
        raise ValueError('must be the name of a header, such as Authorization')
    if value.lower() in _RESERVED or value.lower().startswith(_RESERVED_PREFIX):
        raise ValueError('is a header that every notification has already; name another one')
    return value


Variable = Annotated[str, pydantic.BeforeValidator(_variable)]
_Header = Annotated[str, pydantic.BeforeValidator(_header)]


class Target(Section):
    """Somebody to tell: a webhook or a command."""

    webhook: str | None = pydantic.Field(
        default=None, description='Address to post to, https or http.'
    )
    webhook_env: Variable | None = pydantic.Field(
        default=None,
        description='Environment variable that holds the address, where the address is a secret.',
    )
    command: Annotated[tuple[str, ...], pydantic.Field(min_length=1)] | None = pydantic.Field(
        default=None,
        description='Program and arguments, run in the folder of this file with the JSON on its '
        'standard input and THAWLINE_* variables.',
    )
    events: Annotated[tuple[Event, ...], pydantic.Field(min_length=1)] = pydantic.Field(
        default=EVENTS,
        description='Endings to tell: blessed, refused, finished (ended well without a verdict), '
        'stopped_by_data, bad_configuration, failed, interrupted.',
    )
    format: Format = pydantic.Field(
        default='json', description='Body of a webhook: all as JSON, or the message of a chat.'
    )
    secret_env: Variable | None = pydantic.Field(
        default=None,
        description='Environment variable with the secret that signs a webhook: whsec_ and 24 to '
        '64 random bytes in base64; several, parted by spaces, while it is exchanged.',
    )
    headers_env: dict[_Header, Variable] = pydantic.Field(
        default={},
        description='Further headers of a webhook: {Authorization: NAME}, the name of the '
        'environment variable that holds the value.',
    )
    timeout: Duration = pydantic.Field(
        default='10s', description='Longest wait for the answer of a webhook, or for a command.'
    )
    retry_for: Duration = pydantic.Field(
        default='30s', description='How long a webhook that cannot take it is tried again.'
    )

    @pydantic.field_validator('webhook')
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is None:
            return value
        if wrong := urls.problem(value):
            raise ValueError(wrong)
        if urls.credentials(value):
            raise ValueError(
                'holds a user name or a password; put the whole address into an environment '
                'variable and name that in webhook_env'
            )
        return value

    @pydantic.model_validator(mode='after')
    def _one_way(self) -> Self:
        ways = [
            name
            for name in ('webhook', 'webhook_env', 'command')
            if getattr(self, name) is not None
        ]
        if len(ways) != 1:
            raise ValueError(
                f'holds {" and ".join(ways) or "none of webhook, webhook_env and command"}; each '
                'target needs exactly one of these three'
            )
        idle = [name for name in ('secret_env', 'headers_env') if getattr(self, name)]
        idle += ['format'] if self.format != 'json' else []
        if self.command is not None and idle:
            raise ValueError(
                f'{" and ".join(idle)} cannot be given with command, only with webhook'
            )
        return self
