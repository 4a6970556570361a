"""`thawline notify`: whom a run tells how it ended, and whether they can be told."""

from __future__ import annotations

import datetime
import os
import sys

import rich.console

from components.errors import ConfigError
from pipeline import display
from pipeline.config import Config
from pipeline.notifications import body, run_end, targets, wording
from pipeline.notifications.body import Details, Notification
from pipeline.notifications.delivery import Told
from pipeline.notifications.params import EVENTS
from pipeline.notifications.targets import Resolved
from pipeline.paths import Project


def execute(config: Config, project: Project, test: bool) -> int:
    """Lists the targets or, as a test, tells each of them; 1 when one could not be told.

    Raises:
        ConfigError: there is no target, or the environment lacks what one needs.
    """
    if not config.notifications:
        raise ConfigError(
            'notifications: there is no target; for example notifications: '
            '[{webhook_env: THAWLINE_WEBHOOK}]'
        )
    targets.check(config.notifications, os.environ, project.home)
    found, _ = targets.resolve(config.notifications, os.environ, project.home)
    console = rich.console.Console(file=sys.stdout)
    if not test:
        for one in found:
            display.say(console, *_line(one))
        display.say(console, 'nothing was sent; to send a test to each: thawline notify --test')
        return 0
    came = run_end.send(console, example(config.name), found)
    for told in came:
        mark = ('✓ ', 'green') if told.done else ('✗ ', 'red')
        display.say(console, mark, (told.shown, 'bold'), f'  {_came(told)}')
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
    made = made.model_copy(update={'text': '\n'.join(wording.lines(made))})
    return body.of(made, datetime.datetime.now().astimezone())


def _came(told: Told) -> str:
    tries = 'try' if told.tries == 1 else 'tries'
    return f'{told.said} ({told.tries} {tries}, {display.duration(told.seconds)})'


def _line(one: Resolved) -> tuple[str | tuple[str, str], ...]:
    events = 'every ending' if set(one.events) == set(EVENTS) else ', '.join(one.events)
    way = one.way
    facts = [events]
    if isinstance(way, targets.Webhook):
        facts.append(way.format)
        facts.append('signed' if way.keys else 'not signed')
        facts += [f'header {name}' for name in way.headers]
    return (way.shown, 'bold'), f'  {"; ".join(facts)}'
