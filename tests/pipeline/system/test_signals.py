"""Ctrl-C where Python can hand it to nobody."""

from __future__ import annotations

import os
import subprocess
import sys

from thawline import ROOT

_LOST = """
import os, signal
from thawline.pipeline.system import signals

class Late:
    def __init__(self, act): self._act = act
    def __del__(self): self._act()

signals.hide_lost_interrupts()
with signals.interruptible():
    Late(lambda: os.kill(os.getpid(), signal.SIGINT))
print(signals.is_stop_requested())
Late(lambda: os.kill(os.getpid(), signal.SIGINT))
Late(lambda: 1 / 0)
"""


def test_a_lost_interruption_is_not_printed_and_not_forgotten() -> None:
    done = subprocess.run(
        [sys.executable, '-c', _LOST], capture_output=True, text=True, check=True,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
    )  # fmt: skip
    assert done.stdout == 'True\n'
    assert 'Interrupt' not in done.stderr and 'ZeroDivisionError' in done.stderr
