"""How a command ended, as the exit code of its process."""

from __future__ import annotations

import enum
import logging
import os
import sys
from typing import NoReturn


class Outcome(enum.IntEnum):
    """How a run ended; the value is the exit code."""

    BLESSED = 0
    CRASHED = 1
    BAD_CONFIGURATION = 2
    NOT_BLESSED = 3
    STOPPED_BY_DATA = 4
    INPUTS_MISSING = 5
    INTERRUPTED = 130


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
