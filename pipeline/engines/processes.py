"""Processes that serve a run: each has its own log and ends with the run."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

import thawline
from thawline.components.shared import parent_death
from thawline.components.shared.errors import ConfigError, Unavailable
from thawline.pipeline.system import process_groups

_POLL = 0.1  # seconds
_KILL_AFTER = 5.0  # seconds from SIGTERM to SIGKILL
_LOG_TAIL = 400  # characters that an error quotes


def environment() -> dict[str, str]:
    """Variables for processes with our code: this checkout, and this environment's programs first.

    Beam starts workers as `python`, whatever that is on the PATH.
    """
    path = os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ.get('PATH', '')])
    code = os.pathsep.join(filter(None, [str(thawline.ROOT), os.environ.get('PYTHONPATH', '')]))
    return {**os.environ, 'PATH': path, 'PYTHONPATH': code, 'GLOG_minloglevel': '2'}


class Service:
    """A process started here; errors call it by its name."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: pathlib.Path,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Starts it; it ends with this process, however that ends."""
        self.name, self.log = name, log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open('wb') as output:
            try:
                self._process = subprocess.Popen(
                    parent_death.command(list(command)),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={**environment(), **(variables or {})},
                    start_new_session=True,  # Ctrl-C is for the run, which then ends this
                )
            except OSError as error:
                raise ConfigError(f'{name} cannot be started: {error}') from error

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Waits until it is ready; it may end or take too long instead."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.is_alive:
                code = self._process.returncode
                raise ConfigError(f'{self.name} ended with code {code}: {self._log_tail()}')
            if time.monotonic() > deadline:
                raise Unavailable(
                    f'{self.name} was not ready after {seconds:g} s: {self._log_tail()}'
                )
            time.sleep(_POLL)

    def stop(self) -> None:
        """Ends it and what it started."""
        process_groups.end(self._process, _KILL_AFTER)

    def _log_tail(self) -> str:
        text = self.log.read_text('utf-8', 'replace')[-_LOG_TAIL:].strip()
        return f'{text or "it wrote nothing"} (log: {self.log})'
