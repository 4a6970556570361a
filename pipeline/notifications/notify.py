"""Tells all who want to know how a run ended. Nothing here changes how it ended."""

from __future__ import annotations

import contextlib
import datetime
import logging
import os
from typing import TYPE_CHECKING

import rich.console

from thawline.pipeline.notifications import body, delivery, targets
from thawline.pipeline.notifications import details as gather
from thawline.pipeline.notifications.body import Notification
from thawline.pipeline.notifications.delivery import Told
from thawline.pipeline.notifications.details import Ending
from thawline.pipeline.notifications.targets import Resolved
from thawline.pipeline.terminal.console import say

if TYPE_CHECKING:
    from thawline.pipeline.config.project import Project


def notify(console: rich.console.Console, project: Project, ending: Ending) -> list[Told]:
    """Tells each target of the configuration that wants this ending, and shows what came of it.

    Takes as long as the slowest target may take, and never raises an exception: what goes wrong,
    even a Ctrl-C, is a line at the prompt and in the log.
    """
    if not project.config.notifications:
        return []
    try:
        return _notify(console, project, ending)
    except Exception as error:
        logging.exception('notifications were cut short')
        reason = str(error) or type(error).__name__
        _warn(console, f'notifications were cut short ({reason})')
        return []


def _notify(console: rich.console.Console, project: Project, ending: Ending) -> list[Told]:
    wanting = [target for target in project.config.notifications if ending.event in target.events]
    if not wanting:
        return []
    found, wrong = targets.resolve(project.config.notifications, os.environ, project.home)
    for line in wrong:
        # A run that was refused for it has said so already.
        if line not in (ending.message or ''):
            _warn(console, f'not told: {line}')
    found = [one for one in found if ending.event in one.events]
    details = gather.details(ending, project.name, project.config.gate.val_accuracy)
    told = body.of(details, datetime.datetime.now().astimezone())
    return show(console, send(console, told, found))


def send(console: rich.console.Console, told: Notification, found: list[Resolved]) -> list[Told]:
    """Tells the targets, with a sign of life on a terminal."""
    many = 'target' if len(found) == 1 else 'targets'
    waiting = console.status(f'telling {len(found)} {many}')
    with waiting if console.is_terminal else contextlib.nullcontext():
        return delivery.deliver(told, found)


def show(console: rich.console.Console, came: list[Told]) -> list[Told]:
    """Says what came of each target, at the prompt and in the log; returns them as they are."""
    for one in came:
        if one.done:
            logging.info('told %s: %s', one.shown, one.sentence)
            say(console, f'  told    {one.shown}: {one.sentence}')
        else:
            _warn(console, f'{one.shown} was not told: {one.sentence}')
    return came


def _warn(console: rich.console.Console, text: str) -> None:
    logging.warning('%s', text)
    say(console, ('warning: ', 'bold yellow'), text)
