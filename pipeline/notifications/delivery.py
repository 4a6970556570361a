"""Delivers a notification to all targets at the same time, each with retries until time is up."""

from __future__ import annotations

import dataclasses
import logging
import random
import threading
import time
import uuid
from collections.abc import Callable, Sequence

from thawline.components.shared.durations import duration
from thawline.pipeline.notifications import body, command, log_redaction, messages
from thawline.pipeline.notifications.attempt import DeliveryAttempt
from thawline.pipeline.notifications.body import Notification
from thawline.pipeline.notifications.targets import ResolvedTarget, Webhook

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 10.0  # seconds
_LEAST = 1.0  # seconds that an attempt must have left, unless its own timeout is shorter
_GRACE = 3.0  # seconds that a thread gets beyond its time to report its result
_GRACE_AFTER_STOP = 0.5  # the same when nobody waits any more


@dataclasses.dataclass(frozen=True)
class Delivery:
    """The result for one target: that of the last attempt, the number of attempts, their time."""

    target: str
    succeeded: bool
    message: str
    attempts: int
    seconds: float

    @property
    def summary(self) -> str:
        """The result with the effort: '503 Service Unavailable (4 attempts in 28.3 s)'."""
        if self.attempts < 2:
            return self.message
        return f'{self.message} ({self.attempts} attempts in {duration(self.seconds)})'


Attempt = Callable[[float], DeliveryAttempt]  # that takes at most so many seconds


def retry(
    attempt: Attempt, timeout: float, retry_for: float, stop: threading.Event
) -> tuple[DeliveryAttempt, int]:
    """Tries until the target accepts or rejects, or the next attempt would begin too late.

    urllib3's own retries would repeat the signature of the first attempt, and are not bounded in
    time.

    Args:
        timeout: of one attempt, in seconds; the last ones get what is left.
        retry_for: seconds in which attempts may begin.
        stop: ends the pauses.

    Returns:
        The last attempt, and how many there were.
    """
    began = time.monotonic()
    left, number = max(timeout, retry_for), 0
    while True:
        number += 1
        result = attempt(min(timeout, left))
        # Half of it is random, so that runs that failed together do not come back together.
        pause = min(_FIRST_PAUSE * 2 ** (number - 1), _LONGEST_PAUSE) * random.uniform(0.5, 1.0)
        asked = result.retry_after or 0.0
        left = retry_for - (time.monotonic() - began) - max(pause, asked)
        if result.succeeded or not result.retry:
            return result, number
        if left < min(timeout, _LEAST):
            reason = f'; it asks to wait {asked:,.0f} s, which is too long' if asked > pause else ''
            return dataclasses.replace(result, message=result.message + reason), number
        if stop.wait(max(pause, asked)):
            return result, number


def deliver(notification: Notification, targets: Sequence[ResolvedTarget]) -> list[Delivery]:
    """Notifies all targets; returns when each has answered or its time is up.

    No target can delay this further: a thread that hangs, while it resolves a name or reads an
    answer byte by byte, is left behind.
    """
    message_id = f'msg_{uuid.uuid4().hex}'
    secrets = tuple({secret for target in targets for secret in target.secrets})
    log_redaction.hide(secrets)
    stop = threading.Event()
    deliveries: dict[int, Delivery] = {}

    def work(position: int, target: ResolvedTarget) -> None:
        began = time.monotonic()
        try:
            attempt = _attempt(notification, target, message_id, secrets, stop)
            result, number = retry(attempt, target.timeout, target.retry_for, stop)
        except Exception as error:  # noqa: BLE001 - the other targets must get theirs
            # Its text may hold anything, secrets too; its kind and place don't.
            logging.error('notifying %s failed: %s', target.channel.label, _place(error))
            result, number = DeliveryAttempt(False, f'failed ({type(error).__name__})'), 1
        deliveries[position] = Delivery(
            target.channel.label,
            result.succeeded,
            result.message,
            number,
            time.monotonic() - began,
        )

    began = time.monotonic()
    threads = [
        threading.Thread(target=work, args=(position, target), daemon=True)
        for position, target in enumerate(targets)
    ]
    try:
        for thread in threads:
            thread.start()
        for thread, target in zip(threads, targets, strict=True):
            most = max(target.timeout, target.retry_for) + _GRACE
            thread.join(max(0.0, began + most - time.monotonic()))
    except BaseException:
        stop.set()
        for thread in threads:
            thread.join(_GRACE_AFTER_STOP)  # to kill a running command
        raise
    stop.set()
    took = time.monotonic() - began
    return [
        deliveries.get(position)
        or Delivery(target.channel.label, False, f'gave up after {duration(took)}', 1, took)
        for position, target in enumerate(targets)
    ]


def _attempt(
    notification: Notification,
    target: ResolvedTarget,
    message_id: str,
    secrets: tuple[str, ...],
    stop: threading.Event,
) -> Attempt:
    channel = target.channel
    if isinstance(channel, Webhook):
        from thawline.pipeline.notifications import webhook  # requests, which commands don't need

        content = body.encode(messages.message(notification, channel.format))
        return lambda seconds: webhook.post(channel, content, message_id, seconds, secrets)
    content = body.encode(notification.model_dump())
    return lambda seconds: command.run(channel, content, notification.data, seconds, secrets, stop)


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f'{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}' if trace else 'unknown'
    return f'{type(error).__name__} at {where}'
