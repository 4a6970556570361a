"""One attempt to tell a command."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from typing import IO

from thawline.components.shared.durations import duration
from thawline.pipeline.notifications.attempt import Attempt, excerpt
from thawline.pipeline.notifications.body import Details
from thawline.pipeline.notifications.targets import Command

_LATER = os.EX_TEMPFAIL  # 75: by sysexits.h, the exit code that asks for another attempt
_LOOK = 0.05  # seconds between two looks at a running command
_PATIENCE = 2.0  # seconds from SIGTERM to SIGKILL
_OUTPUT = 2000  # bytes of the end of the output that are looked at
_LONGEST = 32_000  # characters of a variable; Linux takes 128 kB


def variables(details: Details) -> dict[str, str]:
    """The most important facts as environment variables; what is not known is empty."""
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
    what: Command,
    body: bytes,
    details: Details,
    timeout: float,
    secrets: tuple[str, ...],
    stop: threading.Event,
) -> Attempt:
    """Runs the command once and waits for it.

    Input and output are files: the command need not read the one, and cannot fill a pipe with the
    other.

    Args:
        timeout: seconds until it is ended, with all that it started.
        secrets: what is cut out of an output that is quoted.
        stop: set by who no longer waits.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as output:
        given.write(body)
        given.seek(0)
        try:
            process = subprocess.Popen(
                what.arguments,
                cwd=what.folder,
                env={**os.environ, **variables(details)},
                stdin=given,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return Attempt(False, f'cannot be run: {(error.strerror or str(error)).lower()}')
        code = _wait(process, timeout, stop)
        quoted = excerpt(_end(output), secrets)
    said = 'exit code 0' if code == 0 else _ended(code, timeout)
    if quoted and code != 0:
        said += f': {quoted}'
    return Attempt(code == 0, said, again=code == _LATER)


def _ended(code: int | None, timeout: float) -> str:
    if code is None:
        return f'ended because it took longer than {duration(timeout)}'
    if code < 0:
        return f'killed by signal {-code}'
    return f'exit code {code}'


def _wait(process: subprocess.Popen[bytes], timeout: float, stop: threading.Event) -> int | None:
    """The exit code, or None where it had to be ended."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline and not stop.is_set():
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(_LOOK)
    # All of its group, which is its own: what it started may outlive it.
    for number, seconds in ((signal.SIGTERM, _PATIENCE), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    return None


def _end(output: IO[bytes]) -> bytes:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - _OUTPUT))
    return output.read()
