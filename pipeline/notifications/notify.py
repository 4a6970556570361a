"""Notifies the targets of how a run ended. Nothing here changes how it ended."""

from __future__ import annotations

import datetime
import logging
import os
from typing import TYPE_CHECKING

import rich.console

from thawline.pipeline.notifications import body, delivery, details, targets
from thawline.pipeline.notifications.body import Notification
from thawline.pipeline.notifications.delivery import Delivery
from thawline.pipeline.notifications.details import Ending
from thawline.pipeline.notifications.targets import ResolvedTarget
from thawline.pipeline.terminal.console import say, spinner

if TYPE_CHECKING:
    from thawline.pipeline.config.project import Project


def notify(console: rich.console.Console, project: Project, ending: Ending) -> list[Delivery]:
    """Notifies each target of the configuration that wants this ending, and shows the results.

    Takes as long as the slowest target may take, and never raises an exception: any failure, even a
    Ctrl-C, is a line at the prompt and in the log.
    """
    try:
        return _notify(console, project, ending)
    except Exception as error:
        logging.exception('notifications were cut short')
        _warn(console, f'notifications were cut short ({str(error) or type(error).__name__})')
        return []


def _notify(console: rich.console.Console, project: Project, ending: Ending) -> list[Delivery]:
    configured = project.config.notifications
    if not any(ending.event in target.events for target in configured):
        return []
    resolved, problems = targets.resolve(configured, os.environ, project.home)
    for problem in problems:
        # A run that was refused for it has said so already.
        if problem not in (ending.message or ''):
            _warn(console, f'notification not sent: {problem}')
    facts = details.of_ending(ending, project.name, project.config.gate.val_accuracy)
    notification = body.notification(facts, datetime.datetime.now().astimezone())
    wanted_by = [target for target in resolved if ending.event in target.events]
    deliveries = send(console, notification, wanted_by)
    for result in deliveries:
        if result.succeeded:
            logging.info('notified %s: %s', result.target, result.summary)
            say(console, f'  sent    {result.target}: {result.summary}')
        else:
            _warn(console, f'cannot notify {result.target}: {result.summary}')
    return deliveries


def send(
    console: rich.console.Console, notification: Notification, resolved: list[ResolvedTarget]
) -> list[Delivery]:
    """Notifies the targets, with a sign of life on a terminal."""
    noun = 'target' if len(resolved) == 1 else 'targets'
    with spinner(console, f'notifying {len(resolved)} {noun}'):
        return delivery.deliver(notification, resolved)


def _warn(console: rich.console.Console, text: str) -> None:
    logging.warning('%s', text)
    say(console, ('warning: ', 'bold yellow'), text)
