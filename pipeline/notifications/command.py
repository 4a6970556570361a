"""One attempt to notify by a command."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import threading
import time
from typing import IO

from thawline.components.shared.durations import duration
from thawline.pipeline.notifications.attempt import DeliveryAttempt, excerpt
from thawline.pipeline.notifications.body import Details
from thawline.pipeline.notifications.targets import Command
from thawline.pipeline.system import process_groups

_RETRY = os.EX_TEMPFAIL  # 75: the exit code that asks for another attempt (sysexits.h)
_POLL = 0.05  # seconds
_KILL_AFTER = 2.0  # seconds from SIGTERM to SIGKILL
_OUTPUT_TAIL = 2000  # bytes
_LONGEST = 32_000  # characters of a variable; Linux takes 128 kB


def variables(details: Details) -> dict[str, str]:
    """The most important facts as environment variables; empty where unknown."""
    verdict, model, error = details.verdict, details.model, details.error
    facts: dict[str, object] = {
        'event': details.event,
        'project': details.project,
        'run': details.run,
        'exit_code': details.exit_code,
        'seconds': f'{details.seconds:.1f}',
        'text': details.text,
        'blessed': None if verdict is None else int(verdict.blessed),
        'val_accuracy': verdict.val.accuracy if verdict and verdict.val else None,
        'model': model.path if model else None,
        'model_version': model.version if model else None,
        'error': error.message if error else None,
        'report': details.report,
        'log': details.log,
    }
    # A NUL would end the text.
    return {
        f'THAWLINE_{key.upper()}': ('' if value is None else str(value)).replace('\0', '')[
            :_LONGEST
        ]
        for key, value in facts.items()
    }


def run(
    command: Command,
    body: bytes,
    details: Details,
    timeout: float,
    secrets: tuple[str, ...],
    stop: threading.Event,
) -> DeliveryAttempt:
    """Runs the command once; after `timeout` seconds, or on `stop`, it is killed.

    Input and output are files: the command need not read the one, nor can it block on the other.
    """
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as output:
        stdin.write(body)
        stdin.seek(0)
        try:
            process = subprocess.Popen(
                command.arguments,
                cwd=command.folder,
                env={**os.environ, **variables(details)},
                stdin=stdin,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return DeliveryAttempt(
                False, f'cannot be run: {(error.strerror or str(error)).lower()}'
            )
        code = _wait(process, timeout, stop)
        tail = excerpt(_tail(output), secrets)
    message = _ending(code, timeout)
    if tail and code != 0:
        message += f': {tail}'
    return DeliveryAttempt(code == 0, message, retry=code == _RETRY)


def _ending(code: int | None, timeout: float) -> str:
    if code is None:
        return f'killed after {duration(timeout)}'
    if code < 0:
        return f'killed by signal {-code}'
    return f'exit code {code}'


def _wait(process: subprocess.Popen[bytes], timeout: float, stop: threading.Event) -> int | None:
    """The exit code; None where it was killed."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline and not stop.is_set():
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(_POLL)
    process_groups.end(process, _KILL_AFTER)  # what the command started may outlive it
    return None


def _tail(output: IO[bytes]) -> bytes:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - _OUTPUT_TAIL))
    return output.read()
