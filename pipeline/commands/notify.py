"""`thawline notify`: the targets that a run notifies, and a test of each."""

from __future__ import annotations

import datetime
import os
import sys

import rich.console

from thawline.components.shared.durations import duration
from thawline.components.shared.errors import ConfigError
from thawline.pipeline.config.notifications import EVENTS
from thawline.pipeline.config.project import Project
from thawline.pipeline.notifications import body, messages, notify, targets
from thawline.pipeline.notifications.body import Details, Notification
from thawline.pipeline.notifications.delivery import Delivery
from thawline.pipeline.notifications.targets import ResolvedTarget
from thawline.pipeline.terminal.console import say


def execute(project: Project, test: bool) -> int:
    """Lists the targets or, as a test, notifies each of them; returns 1 if one fails.

    Raises:
        ConfigError: there is no target, or the environment lacks what one needs.
    """
    if not project.config.notifications:
        raise ConfigError(
            'notifications: there is no target; for example notifications: '
            '[{webhook_env: THAWLINE_WEBHOOK}]'
        )
    targets.check(project.config.notifications, os.environ, project.home)
    resolved, _ = targets.resolve(project.config.notifications, os.environ, project.home)
    console = rich.console.Console(file=sys.stdout)
    if not test:
        for target in resolved:
            say(console, *_line(target))
        say(console, 'nothing was sent; send a test to each with: thawline notify --test')
        return 0
    deliveries = notify.send(console, example(project.name), resolved)
    for delivery in deliveries:
        mark = ('✓ ', 'green') if delivery.succeeded else ('✗ ', 'red')
        say(console, mark, (delivery.target, 'bold'), f'  {_result(delivery)}')
    return 0 if all(delivery.succeeded for delivery in deliveries) else 1


def example(project: str) -> Notification:
    """The notification of a test: all keys, and no run."""
    details = Details(
        version=body.VERSION,
        event='test',
        project=project,
        run='test',
        exit_code=0,
        seconds=0.0,
        text='',
        verdict=None,
        model=None,
        data=None,
        error=None,
        report=None,
        log=None,
    )
    details = details.model_copy(update={'text': '\n'.join(messages.lines(details))})
    return body.notification(details, datetime.datetime.now().astimezone())


def _result(delivery: Delivery) -> str:
    attempts = 'attempt' if delivery.attempts == 1 else 'attempts'
    return f'{delivery.message} ({delivery.attempts} {attempts}, {duration(delivery.seconds)})'


def _line(target: ResolvedTarget) -> tuple[str | tuple[str, str], ...]:
    events = 'every ending' if set(target.events) == set(EVENTS) else ', '.join(target.events)
    channel = target.channel
    facts = [events]
    if isinstance(channel, targets.Webhook):
        facts.append(channel.format)
        facts.append('signed' if channel.keys else 'not signed')
        facts += [f'header {name}' for name in channel.headers]
    return (channel.label, 'bold'), f'  {"; ".join(facts)}'
