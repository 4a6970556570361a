"""Whom to tell: what the configuration may say, and what the environment must hold."""

from __future__ import annotations

import base64
import pathlib

import pytest

from thawline.components.backbones.params import PretrainedBase
from thawline.components.shared.errors import ConfigError
from thawline.pipeline.config import loading
from thawline.pipeline.config.config import Config
from thawline.pipeline.config.notifications import EVENTS, Target
from thawline.pipeline.config.project import Project
from thawline.pipeline.notifications import signature, targets
from thawline.pipeline.runners import checks

SECRET = 'whsec_' + base64.b64encode(bytes(range(32))).decode()
SLACK = 'https://hooks.slack.com/services/T0AAAAAAA/B0BBBBBBB/verysecrettoken'


def parsed(targets: str) -> Config:
    text = f'name: x\ndata: {{source: images}}\nnotifications: {targets}\n'
    return loading.parse(text, 'thawline.yaml')


def complaint(targets: str) -> str:
    with pytest.raises(ConfigError) as raised:
        parsed(targets)
    return str(raised.value)


def test_defaults_are_all_endings_as_json() -> None:
    assert loading.parse('name: x\ndata: {source: images}\n', 'x').notifications == ()
    (only,) = parsed('[{webhook_env: HOOK}]').notifications
    assert only.events == EVENTS
    assert (only.format, only.timeout, only.retry_for) == ('json', '10s', '30s')


@pytest.mark.parametrize(
    ('text', 'parts'),
    [
        ('[{}]', ['notifications.0', 'none of webhook, webhook_env and command']),
        ('[{events: [failed]}]', ['none of webhook, webhook_env and command']),
        (
            '[{webhook: "https://a.example/x", command: [a]}]',
            ['has webhook and command', 'exactly one'],
        ),
        (
            '[{webhook_env: A}, {webhook: "ftp://a.example/x"}]',
            ['notifications.1.webhook', 'must begin with https://', 'ftp://a.example/…'],
        ),
        ('[{webhook: a.example}]', ['must begin with https://', "received '…'"]),
        ('[{webhook: "https://:80/x"}]', ['no host']),
        ('[{webhook: "https://me:pw123456@a.example/x"}]', ['password', 'webhook_env']),
        ('[{webhook: 5}]', ['notifications.0.webhook', 'expected text']),
        ('[{webhok: "https://a.example"}]', ['webhok: unknown key', 'did you mean webhook?']),
        ('[{webhook_env: A, events: [won]}]', ['events.0', 'blessed', 'stopped_by_data']),
        ('[{webhook_env: A, events: []}]', ['events', 'at least 1']),
        ('[{webhook_env: A, format: xml}]', ['format', 'slack']),
        ('[{webhook_env: A, timeout: 10}]', ['timeout', 'with its unit']),
        ('[{command: []}]', ['command', 'at least 1']),
        ('[{command: curl}]', ['command', 'expected a list']),
        ('[{command: [a], secret_env: B}]', ['secret_env', 'with webhook, not command']),
        ('[{command: [a], format: slack, headers_env: {A: B}}]', ['headers_env and format']),
        ('[{webhook_env: A, headers_env: {webhook-id: B}}]', ['webhook-id', 'every notification']),
        ('[{webhook_env: A, headers_env: {"a b": B}}]', ['name of a header']),
        ('[{webhook_env: A, headers_env: [B]}]', ['headers_env']),
        ('{webhook_env: A}', ['notifications', 'expected a list']),
        ('https://a.example', ['notifications', 'expected a list']),
    ],
)  # fmt: skip
def test_each_mistake_is_named_with_what_would_be_right(text: str, parts: list[str]) -> None:
    message = complaint(text)
    for part in parts:
        assert part in message, message
    assert 'pw123456' not in message


@pytest.mark.parametrize(
    'text',
    [
        f'[{{webhook: "htps{SLACK[5:]}"}}]',
        f'[{{webhook: ["{SLACK}"]}}]',
        f'[{{webhook: "{SLACK}", command: [x]}}]',
        f'[{{webhook: "{SLACK}", hook: 3}}]',
        f'["{SLACK}"]',
        f'"{SLACK}"',
        f'[{{webhook_env: "{SLACK}"}}]',
        '[{webhook_env: A, secret_env: "whsec_verysecrettoken="}]',
        '[{webhook_env: A, headers_env: {Authorization: "Bearer verysecrettoken"}}]',
        '[{webhook: "https://u:verysecrettoken@a.example"}]',
        '[{webhook: "https://a.example/ x?sig=verysecrettoken"}]',
    ],
)
def test_mistakes_repeat_no_secret(text: str) -> None:
    message = complaint(text)
    assert 'verysecrettoken' not in message
    assert 'notifications' in message


def resolve(text: str, environment: dict[str, str], home: pathlib.Path) -> targets.ResolvedTarget:
    resolved, problems = targets.resolve(parsed(text).notifications, environment, home)
    assert problems == []
    return resolved[0]


def test_environment_gives_what_is_secret(tmp_path: pathlib.Path) -> None:
    environment = {'HOOK': SLACK, 'SECRET': f' {SECRET}\n', 'TOKEN': 'Bearer hunter2hunter2'}
    target = resolve(
        '[{webhook_env: HOOK, secret_env: SECRET, headers_env: {Authorization: TOKEN},'
        ' timeout: 2s, retry_for: 1m, events: [refused]}]',
        environment,
        tmp_path,
    )
    assert isinstance(target.channel, targets.Webhook)
    assert target.channel.url == SLACK and target.channel.keys == (bytes(range(32)),)
    assert target.channel.headers == {'Authorization': 'Bearer hunter2hunter2'}
    assert (target.timeout, target.retry_for, target.events) == (2.0, 60.0, ('refused',))
    assert target.channel.label == 'https://hooks.slack.com/…'
    for secret in ('verysecrettoken', 'hunter2', SECRET[6:]):
        assert secret not in repr(target)
        assert any(secret in text for text in target.secrets)


@pytest.mark.parametrize(
    ('text', 'environment', 'parts'),
    [
        ('{webhook_env: HOOK}', {}, ['webhook_env', 'HOOK is not set', 'the address']),
        ('{webhook_env: HOOK}', {'HOOK': '  '}, ['HOOK is not set or empty']),
        ('{webhook_env: HOOK}', {'HOOK': 'verysecrettoken'}, ['must begin with https://']),
        ('{webhook_env: HOOK}', {'HOOK': 'https://a\x1b.example'}, ['a line break']),
        ('{webhook: "http://a", secret_env: S}', {}, ['S is not set', 'openssl rand -base64 32']),
        ('{webhook: "http://a", secret_env: S}', {'S': 'verysecrettoken'}, ['begin with whsec_']),
        (
            '{webhook: "http://a", secret_env: S}',
            {'S': 'whsec_dmVyeXNlY3JldHRva2Vu'},
            ['has 15 bytes', '24 to 64', 'openssl'],
        ),
        ('{webhook: "http://a", secret_env: S}', {'S': 'whsec_a!b'}, ['not base64']),
        (
            '{webhook: "http://a", secret_env: S}',
            {'S': f'{SECRET} whsec_dmVyeXNlY3JldHRva2Vu'},
            ['secret 2 of 2 has 15 bytes'],
        ),
        ('{webhook: "http://a", secret_env: S}', {'S': 'whsec_' + 'AAAA' * 22}, ['has 66 bytes']),
        (
            '{webhook: "http://a", headers_env: {Authorization: T}}',
            {'T': 'Bearer very\nsecrettoken'},
            ['headers_env.Authorization', 'line break'],
        ),
        ('{webhook: "http://a", headers_env: {X: T}}', {'T': 'знак'}, ['not Latin']),
        ('{command: [no-such-program, x]}', {'PATH': '/bin'}, ['no program no-such-program']),
        ('{command: [./tell.sh]}', {}, ['no program ./tell.sh', 'its path from']),
    ],
)
def test_environment_that_does_not_fit(
    text: str, environment: dict[str, str], parts: list[str], tmp_path: pathlib.Path
) -> None:
    with pytest.raises(ConfigError) as raised:
        targets.check(parsed(f'[{text}]').notifications, environment, tmp_path)
    message = str(raised.value)
    for part in parts:
        assert part in message, message
    assert message.startswith('notifications.0.')
    for secret in ('verysecrettoken', 'dmVyeXNl', SECRET[6:]):
        assert secret not in message


def test_all_that_is_missing_is_told_at_once(tmp_path: pathlib.Path) -> None:
    asked = parsed('[{webhook_env: A}, {command: ["true"]}, {webhook_env: B}]').notifications
    environment = {'PATH': '/usr/bin:/bin'}
    resolved, problems = targets.resolve(asked, environment, tmp_path)
    assert [type(one.channel) for one in resolved] == [targets.Command]
    assert len(problems) == 2
    with pytest.raises(ConfigError, match='notifications.0.*\nnotifications.2'):
        targets.check(asked, environment, tmp_path)


def test_a_run_is_refused_before_anything_runs(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv('HOOK', raising=False)
    asked = parsed('[{webhook_env: HOOK}]').model_copy(
        update={'model': PretrainedBase(weights='random')}
    )
    with pytest.raises(ConfigError, match='HOOK is not set'):
        checks.check_project(Project.of(asked, tmp_path))


def test_secret_as_receivers_write_it() -> None:
    key = bytes(range(25))
    encoded = base64.b64encode(key).decode()
    assert encoded.endswith('==')
    assert signature.parse_keys(f'whsec_{encoded}') == (key,)
    assert signature.parse_keys(f'whsec_{encoded.rstrip("=")}') == (key,)


def test_targets_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match='frozen'):
        Target(command=('a',)).timeout = '1s'  # type: ignore[misc]
