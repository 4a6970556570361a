"""What a server says in the terminal: its address, the versions that it loads, its end."""

from __future__ import annotations

import pathlib
from typing import TextIO

import rich.console
import rich.status

from thawline.components.shared.durations import duration
from thawline.components.shared.errors import UserError
from thawline.pipeline.terminal.console import say


class ServerDisplay:
    """Receives changes of the version in service; see `version_manager.VersionListener`."""

    def __init__(self, file: TextIO) -> None:
        self._console = rich.console.Console(file=file)
        self._status: rich.status.Status | None = None

    def show_start(self, name: str, folder: pathlib.Path, address: str, log: pathlib.Path) -> None:
        say(self._console, f'{name} from {folder}: ', (address, 'bold'))
        say(self._console, 'Stop with Ctrl-C', (f'   log: {log}', 'dim'))

    def on_loading(self, version: int) -> None:
        if self._console.is_terminal:
            self._status = self._console.status(f'loading version {version}')
            self._status.start()

    def on_loaded(self, version: int, seconds: float, warm_up: int) -> None:
        self._stop_status()
        how = f' (loaded in {duration(seconds)}, {warm_up} warm-up requests)'
        say(self._console, ('✓ ', 'green'), f'version {version} in service', (how, 'dim'))

    def on_failed(self, version: int, error: Exception) -> None:
        self._stop_status()
        if isinstance(error, UserError):
            text = str(error)
        else:
            text = ' '.join(f'{type(error).__name__}: {error}'.split())[:300]
        self._show_problem(f'version {version} cannot be loaded, will be retried: {text}')

    def show_note(self, text: str) -> None:
        self._stop_status()
        say(self._console, ('note: ', 'yellow'), text)

    def on_stop(self) -> None:
        say(self._console, ('stopping after the running requests', 'dim'))

    def show_cut_off(self, requests: int) -> None:
        self._show_problem(f'requests cut off: {requests}')

    def _show_problem(self, text: str) -> None:
        say(self._console, ('✗ ', 'red'), text)

    def _stop_status(self) -> None:
        if self._status is not None:
            self._status.stop()
