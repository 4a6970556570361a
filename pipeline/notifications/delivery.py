"""Tells several targets at the same time, each again until it is told or time is up."""

from __future__ import annotations

import dataclasses
import logging
import random
import threading
import time
import uuid
from collections.abc import Callable, Sequence

from thawline.components.shared.durations import duration
from thawline.pipeline.notifications import body as body_lib
from thawline.pipeline.notifications import command, log_redaction, messages
from thawline.pipeline.notifications.attempt import Attempt
from thawline.pipeline.notifications.body import Notification
from thawline.pipeline.notifications.targets import Resolved, Webhook

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 10.0  # seconds
_LEAST = 1.0  # seconds that an attempt must have left, or as many as it may take at most
_GRACE = 3.0  # seconds that a thread gets beyond its time to say what came
_PARTING = 0.5  # and when nobody waits any more


@dataclasses.dataclass(frozen=True)
class Told:
    """What came of one target.

    Attributes:
        shown: how it is called.
        done: whether it was told.
        said: what came last, in words.
        tries: how many attempts there were.
        seconds: what all took.
    """

    shown: str
    done: bool
    said: str
    tries: int
    seconds: float

    @property
    def sentence(self) -> str:
        """All of it: '503 Service Unavailable (4 tries in 28.3 s)'."""
        if self.tries < 2:
            return self.said
        return f'{self.said} ({self.tries} tries in {duration(self.seconds)})'


# Makes one attempt that may take so many seconds.
Try = Callable[[float], Attempt]


def persist(
    attempt: Try, timeout: float, retry_for: float, stop: threading.Event
) -> tuple[Attempt, int]:
    """Tries until it is done, refused for good, or the next attempt would begin too late.

    urllib3's own retries would send the first signature again, which dates from the first attempt,
    and have no bound of time.

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
        tried = attempt(min(timeout, left))
        # Half of it is random, so that many that failed together do not come back together.
        pause = min(_FIRST_PAUSE * 2 ** (number - 1), _LONGEST_PAUSE) * random.uniform(0.5, 1.0)
        left = retry_for - (time.monotonic() - began) - max(pause, tried.wait or 0.0)
        if tried.done or not tried.again:
            return tried, number
        if left < min(timeout, _LEAST):
            late = tried.wait is not None and tried.wait > pause
            asks = f'; it asks to wait {tried.wait:,.0f} s, which is too long' if late else ''
            return dataclasses.replace(tried, said=tried.said + asks), number
        if stop.wait(max(pause, tried.wait or 0.0)):
            return tried, number


def deliver(told: Notification, targets: Sequence[Resolved]) -> list[Told]:
    """Tells all targets, and comes back when each was told or its time is up.

    Nothing that a target does holds this up for longer: where a thread hangs, in the resolution of
    a name or in an answer that comes byte by byte, it is left behind.
    """
    message_id = f'msg_{uuid.uuid4().hex}'
    secrets = tuple({secret for target in targets for secret in target.secrets})
    log_redaction.hide(secrets)
    stop = threading.Event()
    found: dict[int, Told] = {}

    def work(position: int, target: Resolved) -> None:
        began = time.monotonic()
        try:
            attempt = _attempt(told, target, message_id, secrets, stop)
            tried, number = persist(attempt, target.timeout, target.retry_for, stop)
        except Exception as error:  # noqa: BLE001 - one target must not cost the others theirs
            # Its text may hold anything, secrets too; its kind and place don't.
            logging.error('telling %s failed: %s', target.way.shown, _place(error))
            tried, number = Attempt(False, f'failed ({type(error).__name__})'), 1
        took = time.monotonic() - began
        found[position] = Told(target.way.shown, tried.done, tried.said, number, took)

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
            thread.join(_PARTING)  # a running command has to be ended
        raise
    stop.set()
    took = time.monotonic() - began
    return [
        found.get(position)
        or Told(
            target.way.shown,
            False,
            f'not done after {duration(took)}, and given up',
            1,
            took,
        )
        for position, target in enumerate(targets)
    ]


def _attempt(
    told: Notification,
    target: Resolved,
    message_id: str,
    secrets: tuple[str, ...],
    stop: threading.Event,
) -> Try:
    way = target.way
    if isinstance(way, Webhook):
        from thawline.pipeline.notifications import webhook  # requests, which other ends don't need

        sent = body_lib.encoded(messages.message(told, way.format))
        return lambda seconds: webhook.post(way, sent, message_id, seconds, secrets)
    given = body_lib.encoded(told.model_dump())
    return lambda seconds: command.run(way, given, told.data, seconds, secrets, stop)


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f'{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}' if trace else 'unknown'
    return f'{type(error).__name__} at {where}'
