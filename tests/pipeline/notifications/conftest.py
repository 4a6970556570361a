"""Notifications to send, and an environment without proxies."""

from __future__ import annotations

import datetime

import pytest

from thawline.pipeline.commands import notify
from thawline.pipeline.config.notifications import EVENTS
from thawline.pipeline.notifications import body, delivery
from thawline.pipeline.notifications.body import Notification
from thawline.pipeline.notifications.targets import Command, ResolvedTarget, Webhook


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('http_proxy', 'https_proxy', 'all_proxy', 'no_proxy'):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of a few hundredths of a second instead of seconds."""
    monkeypatch.setattr(delivery, '_FIRST_PAUSE', 0.04)
    monkeypatch.setattr(delivery, '_LONGEST_PAUSE', 0.2)
    monkeypatch.setattr(delivery, '_LEAST', 0.05)


@pytest.fixture
def notification() -> Notification:
    details = notify.example('stones').data.model_copy(update={'event': 'failed'})
    return body.notification(details, datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC))


def target(
    channel: Webhook | Command,
    timeout: float = 5.0,
    retry_for: float = 5.0,
    secrets: tuple[str, ...] = (),
) -> ResolvedTarget:
    return ResolvedTarget(channel, EVENTS, timeout, retry_for, secrets)
