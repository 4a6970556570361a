"""What the page about notifications says is what happens."""

from __future__ import annotations

import base64
import re
from typing import Any

import yaml

from tests.pipeline.notifications.conftest import target
from tests.pipeline.notifications.receiver import listening
from thawline import ROOT
from thawline.pipeline.config import loading, notifications
from thawline.pipeline.notifications import command, delivery, signature
from thawline.pipeline.notifications.body import Notification
from thawline.pipeline.notifications.targets import Webhook

PAGE = (ROOT / 'docs' / 'notifications.md').read_text('utf-8')


def block(kind: str) -> str:
    match = re.search(rf'```{kind}\n(.*?)```', PAGE, re.DOTALL)
    assert match, f'no block of {kind}'
    return match[1]


def test_configuration_is_valid() -> None:
    text = 'name: x\ndata: {source: images}\n' + block('yaml')
    assert len(loading.parse(text, 'page').notifications) == 3


def test_code_for_receivers_tells_genuine_from_forged(notification: Notification) -> None:
    secret = 'whsec_' + base64.b64encode(bytes(range(32))).decode()
    scope: dict[str, Any] = {}
    exec(block('python'), scope)
    with listening() as server:
        channel = Webhook(server.url, keys=signature.parse_keys(secret))
        (result,) = delivery.deliver(notification, [target(channel)])
    assert result.succeeded
    (request,) = server.requests
    assert scope['is_genuine'](request.headers, request.body, secret)
    assert not scope['is_genuine'](request.headers, request.body + b' ', secret)
    old = {**request.headers, 'webhook-timestamp': '1614265330'}
    assert not scope['is_genuine'](old, request.body, secret)


def test_body_is_of_the_schema() -> None:
    shown = yaml.safe_load(block('json'))  # JSON is YAML
    parsed = Notification.model_validate(shown)
    assert parsed.model_dump(mode='json') == shown


def test_all_names_are_on_the_page(notification: Notification) -> None:
    for name in (
        *notifications.EVENTS,
        *notifications.Target.model_fields,
        *command.variables(notification.data),
    ):
        assert f'`{name}`' in PAGE, name
