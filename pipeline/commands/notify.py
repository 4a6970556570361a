"""`thawline notify`: where a run sends notifications when it ends, and a test of them."""

from __future__ import annotations

import datetime
import os
import sys
from typing import TYPE_CHECKING

import click
import rich.console

from thawline.components.shared.durations import duration
from thawline.components.shared.errors import ConfigError
from thawline.pipeline.commands.arguments import project_argument
from thawline.pipeline.terminal.console import notifying, say

if TYPE_CHECKING:
    from thawline.pipeline.config.project import Project
    from thawline.pipeline.notifications.body import Notification
    from thawline.pipeline.notifications.targets import ResolvedTarget


@click.command()
@project_argument
@click.option('--test', is_flag=True, help='Send a test notification to each target.')
def command(project: Project, test: bool) -> None:
    """List or test the notifications that are sent when a run ends."""
    from thawline.pipeline.notifications import delivery, targets

    if not project.config.notifications:
        raise ConfigError(
            'notifications: no targets; for example: notifications: '
            '[{webhook_env: THAWLINE_WEBHOOK}]'
        )
    targets.check(project.config.notifications, os.environ, project.home)
    resolved, _ = targets.resolve(project.config.notifications, os.environ, project.home)
    console = rich.console.Console(file=sys.stdout)
    if not test:
        for target in resolved:
            say(console, *_describe(target))
        say(console, 'nothing was sent; to send a test to each target: thawline notify --test')
        return
    with notifying(console, len(resolved)):
        deliveries = delivery.deliver(example(project.name), resolved)
    for sent in deliveries:
        mark = ('✓ ', 'green') if sent.succeeded else ('✗ ', 'red')
        attempts = f'{sent.attempts} attempt{"" if sent.attempts == 1 else "s"}'
        result = f'{sent.message} ({attempts}, {duration(sent.seconds)})'
        say(console, mark, (sent.target, 'bold'), f'  {result}')
    sys.exit(0 if all(sent.succeeded for sent in deliveries) else 1)


def example(project: str) -> Notification:
    """The notification of a test: all keys, but no run."""
    from thawline.pipeline.notifications import body, messages

    details = body.Details(
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


def _describe(target: ResolvedTarget) -> tuple[str | tuple[str, str], ...]:
    from thawline.pipeline.config.notifications import EVENTS
    from thawline.pipeline.notifications import targets

    channel = target.channel
    facts = ['all events' if set(target.events) == set(EVENTS) else ', '.join(target.events)]
    if isinstance(channel, targets.Webhook):
        facts.append(channel.format)
        facts.append('signed' if channel.keys else 'not signed')
        facts += [f'header {name}' for name in channel.headers]
    return (channel.label, 'bold'), f'  {"; ".join(facts)}'
