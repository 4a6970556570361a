"""A child ends with its parent, also where the parent is killed."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import time

from thawline.components.shared import parent_death

PARENT = """
import subprocess, sys
from thawline.components.shared import parent_death
child = subprocess.Popen(parent_death.command(['sleep', '60']))
print(child.pid, flush=True)
child.wait()
"""


def test_child_of_a_killed_parent() -> None:
    parent = subprocess.Popen([sys.executable, '-c', PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = pathlib.Path('/proc', parent.stdout.readline().strip())
    time.sleep(0.5)
    assert child.is_dir()
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 10
    while (child / 'cmdline').exists() and (child / 'cmdline').read_bytes():  # a zombie has none
        assert time.monotonic() < deadline, 'it lives on'
        time.sleep(0.05)


def test_the_command_runs_as_it_is() -> None:
    command = parent_death.command(
        [sys.executable, '-c', 'import sys; sys.exit(sys.argv[1:] != ["-x", "é"])', '-x', 'é']
    )
    assert subprocess.run(command).returncode == 0
