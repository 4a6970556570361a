"""Targets of notifications with what the environment holds for them: addresses, keys, headers.

Only these values hold secrets. They are made when a run starts or ends, are never stored, and leave
secrets out of their `repr`.
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
    url: str = dataclasses.field(repr=False)
    format: Format = 'json'
    keys: tuple[bytes, ...] = dataclasses.field(default=(), repr=False)
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)

    @property
    def label(self) -> str:
        return urls.public_part(self.url)


@dataclasses.dataclass(frozen=True)
class Command:
    arguments: tuple[str, ...]
    folder: pathlib.Path

    @property
    def label(self) -> str:
        """Without its arguments, which may hold secrets."""
        return f'command {pathlib.PurePath(self.arguments[0]).name}'


@dataclasses.dataclass(frozen=True)
class ResolvedTarget:
    """A target that can be notified; times are in seconds."""

    channel: Webhook | Command
    events: tuple[Event, ...]
    timeout: float
    retry_for: float
    secrets: tuple[str, ...] = dataclasses.field(default=(), repr=False)


def resolve(
    targets: Sequence[Target], environment: Mapping[str, str], home: pathlib.Path
) -> tuple[list[ResolvedTarget], list[str]]:
    """The targets that can be notified, and the problem with each of the others.

    `home`, the folder of the project file, is where commands run.
    """
    resolved, problems = [], []
    for position, target in enumerate(targets):
        try:
            resolved.append(_resolve(target, environment, home))
        except ConfigError as error:
            problems.append(f'notifications.{position}.{error}')
    return resolved, problems


def check(targets: Sequence[Target], environment: Mapping[str, str], home: pathlib.Path) -> None:
    """Refuses targets that cannot be notified, all at once."""
    _, problems = resolve(targets, environment, home)
    if problems:
        raise ConfigError('\n'.join(problems))


def _resolve(target: Target, environment: Mapping[str, str], home: pathlib.Path) -> ResolvedTarget:
    timeout, retry_for = seconds_of(target.timeout), seconds_of(target.retry_for)
    if target.command is not None:
        _require_program(target.command[0], environment, home)
        return ResolvedTarget(Command(target.command, home), target.events, timeout, retry_for)
    url = target.webhook or _url(target.webhook_env, environment)
    keys, secret = _keys(target.secret_env, environment)
    headers = {
        name: _header(name, variable, environment) for name, variable in target.headers_env.items()
    }
    # An answer may echo the token alone, without the word 'Bearer' before it.
    words = [word for value in headers.values() for word in (value, *value.split())]
    return ResolvedTarget(
        Webhook(url, target.format, keys, headers),
        target.events,
        timeout,
        retry_for,
        (*urls.secrets_of(url), *secret.split(), *words),
    )


def _require_program(program: str, environment: Mapping[str, str], home: pathlib.Path) -> None:
    # A name with a slash is a path relative to the project's folder; others are on the PATH.
    location = str(home / program) if '/' in program else program
    if shutil.which(location, path=environment.get('PATH')) is None:
        raise ConfigError(
            f'command: there is no program {program}; name one on the PATH, or give its path from '
            f'{home}'
        )


def _value(key: str, variable: str, environment: Mapping[str, str], content: str) -> str:
    value = environment.get(variable, '').strip()
    if not value:
        raise ConfigError(
            f'{key}: the environment variable {variable} is not set or empty; it must hold '
            f'{content}'
        )
    return value


def _url(variable: str | None, environment: Mapping[str, str]) -> str:
    assert variable is not None
    url = _value('webhook_env', variable, environment, 'the address of the webhook')
    if problem := urls.problem(url):
        raise ConfigError(
            f'webhook_env: the value of the environment variable {variable} {problem}'
        )
    return url


def _keys(variable: str | None, environment: Mapping[str, str]) -> tuple[tuple[bytes, ...], str]:
    """The keys, and the text that holds them."""
    if variable is None:
        return (), ''
    content = f'the signing secret; create one with: {_MAKE_SECRET}'
    text = _value('secret_env', variable, environment, content)
    try:
        return signature.parse_keys(text), text
    except ValueError as error:
        raise ConfigError(
            f'secret_env: in the environment variable {variable} {error}; create a secret with: '
            f'{_MAKE_SECRET}'
        ) from None


def _header(name: str, variable: str, environment: Mapping[str, str]) -> str:
    key = f'headers_env.{name}'
    value = _value(key, variable, environment, f'the value of the header {name}')
    if re.search(r'[^\x20-\x7e\xa0-\xff]', value):
        raise ConfigError(
            f'{key}: the value of the environment variable {variable} cannot be a header: it has a '
            'line break or a character that is not Latin'
        )
    return value
