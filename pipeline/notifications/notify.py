"""Notifies the targets of how a run ended. Nothing here changes how it ended."""

from __future__ import annotations

import datetime
import logging
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from thawline.pipeline.notifications import body, delivery, details, targets
from thawline.pipeline.notifications.details import Ending

if TYPE_CHECKING:
    from thawline.pipeline.config.project import Project


def notify(
    project: Project, ending: Ending, waiting: Callable[[int], AbstractContextManager[object]]
) -> list[tuple[bool, str]]:
    """Notifies each target of the configuration that wants this ending.

    Takes as long as the slowest target may take, and never raises an exception: any failure, even a
    Ctrl-C, is a result, and a line in the log.

    Args:
        project: with its targets.
        ending: of the run.
        waiting: shows that so many targets are being notified.

    Returns:
        For each target whether it was notified, and the result in words.
    """
    try:
        results = _notify(project, ending, waiting)
    except Exception as error:
        logging.exception('notifications were cut short')
        reason = str(error) or type(error).__name__
        return [(False, f'notifications were cut short ({reason})')]
    for succeeded, line in results:
        if succeeded:
            logging.info('notified %s', line)
        else:
            logging.warning('%s', line)
    return results


def _notify(
    project: Project, ending: Ending, waiting: Callable[[int], AbstractContextManager[object]]
) -> list[tuple[bool, str]]:
    configured = project.config.notifications
    if not any(ending.event in target.events for target in configured):
        return []
    resolved, problems = targets.resolve(configured, os.environ, project.home)
    results = [
        (False, f'notification not sent: {problem}')
        for problem in problems
        # A run that was refused for it has said so already.
        if problem not in (ending.message or '')
    ]
    facts = details.of_ending(ending, project.name, project.config.gate.val_accuracy)
    notification = body.notification(facts, datetime.datetime.now().astimezone())
    wanted_by = [target for target in resolved if ending.event in target.events]
    with waiting(len(wanted_by)):
        deliveries = delivery.deliver(notification, wanted_by)
    for sent in deliveries:
        line = f'{sent.target}: {sent.summary}'
        results.append((sent.succeeded, line if sent.succeeded else f'cannot notify {line}'))
    return results
