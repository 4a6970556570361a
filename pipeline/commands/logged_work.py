"""Work of commands in this process, while what libraries print goes to a log."""

from __future__ import annotations

import datetime
import logging
import os
import pathlib
import tempfile
from collections.abc import Callable
from typing import TYPE_CHECKING

import rich.console

from thawline.components.shared.errors import UserError
from thawline.pipeline.system import log_redirect, signals, temporary_files
from thawline.pipeline.terminal.console import say, wide_console
from thawline.pipeline.terminal.exit_codes import Outcome

if TYPE_CHECKING:
    from thawline.pipeline.config.project import Project


def log_path(project: Project, name: str) -> pathlib.Path:
    """Among the project's logs, if it has ever run."""
    stamp = datetime.datetime.now().strftime('%Y%m%d-%H%M%S')
    folder = project.logs if project.output.is_dir() else pathlib.Path(tempfile.gettempdir())
    return folder / f'{stamp}-{name}-{os.getpid()}.log'


def run_logged(log: pathlib.Path, work: Callable[[rich.console.Console], None]) -> Outcome:
    """Does the work, which prints to the console; returns how it ended.

    Raises:
        UserError: of the work.
    """
    temporary_files.remove_orphaned()
    with (
        signals.interruptible(),
        log_redirect.redirect_output(log) as terminal,
        temporary_files.in_own_folder(),
    ):
        console = wide_console(terminal)
        try:
            work(console)
        except Exception as error:
            if signals.is_stop_requested():
                say(console, ('error: ', 'bold red'), 'interrupted; nothing was written')
                return Outcome.INTERRUPTED
            if isinstance(error, UserError):
                raise
            logging.exception('the command crashed')
            say(console, ('error: ', 'bold red'), f'{error} ({type(error).__name__})')
            say(console, f'  log     {log}')
            return Outcome.CRASHED
    return Outcome.BLESSED
