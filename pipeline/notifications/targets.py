"""Whom to tell, with what the environment holds for it: addresses, keys, headers.

Secrets are in these values alone, which are made when a run starts or ends and never stored. Their
`repr` leaves secrets out.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
import shutil
from collections.abc import Mapping, Sequence

from thawline.components.shared.errors import ConfigError
from thawline.components.shared.settings import seconds_of
from thawline.pipeline.config.notifications import Event, Format, Target
from thawline.pipeline.notifications import signature
from thawline.pipeline.system import urls

_MAKE_SECRET = 'echo "whsec_$(openssl rand -base64 32)"'


@dataclasses.dataclass(frozen=True)
class Webhook:
    """Where to post, and how."""

    url: str = dataclasses.field(repr=False)
    format: Format = 'json'
    keys: tuple[bytes, ...] = dataclasses.field(default=(), repr=False)
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)

    @property
    def shown(self) -> str:
        """How it is called where people read."""
        return urls.public_part(self.url)


@dataclasses.dataclass(frozen=True)
class Command:
    """What to run, and in which folder."""

    arguments: tuple[str, ...]
    folder: pathlib.Path

    @property
    def shown(self) -> str:
        """How it is called where people read: its arguments may hold what is secret."""
        return f'command {pathlib.PurePath(self.arguments[0]).name}'


@dataclasses.dataclass(frozen=True)
class Resolved:
    """A target that can be told.

    Attributes:
        events: the endings that it is told.
        timeout: of one attempt, in seconds.
        retry_for: how long it is tried, in seconds.
        secrets: texts that nobody may see.
    """

    way: Webhook | Command
    events: tuple[Event, ...]
    timeout: float
    retry_for: float
    secrets: tuple[str, ...] = dataclasses.field(default=(), repr=False)


def resolve(
    targets: Sequence[Target], environment: Mapping[str, str], home: pathlib.Path
) -> tuple[list[Resolved], list[str]]:
    """The targets that can be told, and what is wrong with each of the others.

    Args:
        environment: where secrets are.
        home: the folder of the project file, in which commands run.
    """
    found, wrong = [], []
    for position, target in enumerate(targets):
        try:
            found.append(_resolved(target, environment, home))
        except ConfigError as error:
            wrong.append(f'notifications.{position}.{error}')
    return found, wrong


def check(targets: Sequence[Target], environment: Mapping[str, str], home: pathlib.Path) -> None:
    """Refuses targets that cannot be told, all at once.

    Raises:
        ConfigError: an environment variable is not set or does not hold what it should, or a
            command is not there.
    """
    _, wrong = resolve(targets, environment, home)
    if wrong:
        raise ConfigError('\n'.join(wrong))


def _resolved(target: Target, environment: Mapping[str, str], home: pathlib.Path) -> Resolved:
    timeout, retry_for = seconds_of(target.timeout), seconds_of(target.retry_for)
    if target.command is not None:
        _find(target.command[0], environment, home)
        return Resolved(Command(target.command, home), target.events, timeout, retry_for)
    url = target.webhook or _url(target.webhook_env, environment)
    keys, secret = _keys(target.secret_env, environment)
    headers = {
        name: _header(name, variable, environment) for name, variable in target.headers_env.items()
    }
    # A token stands behind the word 'Bearer': that alone may be what somebody echoes.
    words = [word for value in headers.values() for word in (value, *value.split())]
    return Resolved(
        Webhook(url, target.format, keys, headers),
        target.events,
        timeout,
        retry_for,
        (*urls.secrets_of(url), *secret.split(), *words),
    )


def _find(program: str, environment: Mapping[str, str], home: pathlib.Path) -> None:
    """Refuses a program that is not there."""
    # A name with a slash is a path, relative to the project's folder; others are on the PATH.
    wanted = str(home / program) if '/' in program else program
    if shutil.which(wanted, path=environment.get('PATH')) is None:
        raise ConfigError(
            f'command: there is no program {program}; give one that is on the PATH, or its path '
            f'from {home}'
        )


def _value(key: str, variable: str, environment: Mapping[str, str], what: str) -> str:
    value = environment.get(variable, '').strip()
    if not value:
        raise ConfigError(
            f'{key}: the environment variable {variable} is not set or empty; it must hold {what}'
        )
    return value


def _url(variable: str | None, environment: Mapping[str, str]) -> str:
    assert variable is not None
    url = _value('webhook_env', variable, environment, 'the address of the webhook')
    if wrong := urls.problem(url):
        raise ConfigError(f'webhook_env: what the environment variable {variable} holds {wrong}')
    return url


def _keys(variable: str | None, environment: Mapping[str, str]) -> tuple[tuple[bytes, ...], str]:
    """The keys, and the text that they were made from."""
    if variable is None:
        return (), ''
    what = f'the secret that signs; make one with: {_MAKE_SECRET}'
    text = _value('secret_env', variable, environment, what)
    try:
        return signature.keys(text), text
    except ValueError as error:
        raise ConfigError(
            f'secret_env: in the environment variable {variable} {error}; make a secret with: '
            f'{_MAKE_SECRET}'
        ) from None


def _header(name: str, variable: str, environment: Mapping[str, str]) -> str:
    key = f'headers_env.{name}'
    value = _value(key, variable, environment, f'the value of the header {name}')
    if re.search(r'[^\x20-\x7e\xa0-\xff]', value):
        raise ConfigError(
            f'{key}: what the environment variable {variable} holds cannot be a header: it has a '
            'line break or a character that is not Latin'
        )
    return value
