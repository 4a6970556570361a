"""How a command ended, as the exit code of its process."""

from __future__ import annotations

import enum
import logging
import os
import sys
from typing import NoReturn

from thawline.components.shared import errors
from thawline.components.shared.errors import (
    Busy,
    ConfigError,
    DataError,
    NotFound,
    Unavailable,
    UserError,
)
from thawline.pipeline.terminal.console import echo


class Outcome(enum.IntEnum):
    """How a run ended; the value is the exit code."""

    BLESSED = 0
    CRASHED = 1
    BAD_CONFIGURATION = 2
    NOT_BLESSED = 3
    STOPPED_BY_DATA = 4
    INPUTS_MISSING = 5
    BUSY = 6
    UNAVAILABLE = 7
    DRIFT = 8
    TOO_FEW_IMAGES = 9
    INTERRUPTED = 130


_OF_ERRORS = {
    ConfigError: Outcome.BAD_CONFIGURATION,
    NotFound: Outcome.BAD_CONFIGURATION,
    DataError: Outcome.STOPPED_BY_DATA,
    Busy: Outcome.BUSY,
    Unavailable: Outcome.UNAVAILABLE,
}


def of_error(error: BaseException) -> Outcome:
    """The outcome of what an exception ended, by the error for a person among its causes."""
    cause = errors.user_error(error)
    outcomes = (outcome for kind, outcome in _OF_ERRORS.items() if isinstance(cause, kind))
    return next(outcomes, Outcome.CRASHED)


def fail(error: UserError) -> NoReturn:
    """Prints the error and ends the command with its code."""
    echo(f'error: {error}', error=True)
    if isinstance(error, Busy):
        echo('  next    the same command again, once the other process has ended', error=True)
    sys.exit(of_error(error))


def abort() -> NoReturn:
    """Ends a command that was interrupted before it could do anything, as click does."""
    echo('Aborted!', error=True)
    sys.exit(1)


def leave(outcome: Outcome) -> NoReturn:
    """Ends the process with the outcome's code, at once.

    After an interruption threads of Beam or TensorFlow may still be busy with work that nobody
    wants any more, and would keep the process alive; and to take down TensorFlow, module by module,
    takes two seconds. All that a run leaves is written by then.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(outcome))
