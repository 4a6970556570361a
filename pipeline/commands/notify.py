"""`thawline notify`: whom a run tells how it ended, and whether they can be told."""

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
from thawline.pipeline.notifications.delivery import Told
from thawline.pipeline.notifications.targets import Resolved
from thawline.pipeline.terminal.console import say


def execute(project: Project, test: bool) -> int:
    """Lists the targets or, as a test, tells each of them; 1 when one could not be told.

    Raises:
        ConfigError: there is no target, or the environment lacks what one needs.
    """
    if not project.config.notifications:
        raise ConfigError(
            'notifications: there is no target; for example notifications: '
            '[{webhook_env: THAWLINE_WEBHOOK}]'
        )
    targets.check(project.config.notifications, os.environ, project.home)
    found, _ = targets.resolve(project.config.notifications, os.environ, project.home)
    console = rich.console.Console(file=sys.stdout)
    if not test:
        for one in found:
            say(console, *_line(one))
        say(console, 'nothing was sent; to send a test to each: thawline notify --test')
        return 0
    came = notify.send(console, example(project.name), found)
    for told in came:
        mark = ('✓ ', 'green') if told.done else ('✗ ', 'red')
        say(console, mark, (told.shown, 'bold'), f'  {_came(told)}')
    return 0 if all(told.done for told in came) else 1


def example(project: str) -> Notification:
    """The notification of a test; it has the keys of all, and no run."""
    made = Details(
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
    made = made.model_copy(update={'text': '\n'.join(messages.lines(made))})
    return body.of(made, datetime.datetime.now().astimezone())


def _came(told: Told) -> str:
    tries = 'try' if told.tries == 1 else 'tries'
    return f'{told.said} ({told.tries} {tries}, {duration(told.seconds)})'


def _line(one: Resolved) -> tuple[str | tuple[str, str], ...]:
    events = 'every ending' if set(one.events) == set(EVENTS) else ', '.join(one.events)
    way = one.way
    facts = [events]
    if isinstance(way, targets.Webhook):
        facts.append(way.format)
        facts.append('signed' if way.keys else 'not signed')
        facts += [f'header {name}' for name in way.headers]
    return (way.shown, 'bold'), f'  {"; ".join(facts)}'
