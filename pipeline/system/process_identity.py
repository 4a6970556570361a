"""Which process did something, so that anybody can tell later whether it still lives.

A number alone is given to other processes later on, and means nothing on other machines.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import pathlib
import platform
from typing import Self

_PROC = pathlib.Path('/proc')
_DEAD = ('Z', 'X')  # has ended, and nobody asked yet how


@dataclasses.dataclass(frozen=True)
class ProcessIdentity:
    """A process.

    Attributes:
        host: name and number of its machine.
        boot: of that machine; another one after each restart.
        namespace: in which its number counts; containers have their own.
        pid: its number.
        started: when, in ticks since the boot.
    """

    host: str
    boot: str
    namespace: str
    pid: int
    started: int

    @classmethod
    def own(cls) -> Self:
        """This process."""
        pid = os.getpid()
        return cls(*_machine(), pid, _started(pid) or 0)

    @classmethod
    def read(cls, text: str) -> Self | None:
        """What `text` wrote; None for anything else."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            return None

    @property
    def text(self) -> str:
        """For `read`."""
        return json.dumps(dataclasses.asdict(self))

    @property
    def is_dead(self) -> bool | None:
        """Whether it has ended; None where that cannot be told from here."""
        host, boot, namespace = _machine()
        if not boot or self.host != host:
            return None
        if self.boot != boot:
            return True
        if self.namespace != namespace:
            return None
        return _started(self.pid) != self.started

    @property
    def is_of_this_boot(self) -> bool:
        """Whether it ran under the kernel of this process, whose locks then count for both."""
        return bool(self.boot) and self.boot == _machine()[1]


@functools.cache
def _machine() -> tuple[str, str, str]:
    """Host, boot and namespace of this process; empty where the system does not say."""
    number = _read(pathlib.Path('/etc/machine-id'))
    boot = _read(_PROC / 'sys' / 'kernel' / 'random' / 'boot_id')
    try:
        namespace = os.readlink(_PROC / 'self' / 'ns' / 'pid')
    except OSError:
        namespace = ''
    return f'{platform.node()} {number}'.strip(), boot, namespace


def _started(pid: int) -> int | None:
    """When a process started; None where there is none, or it has ended."""
    # The name in brackets may hold anything, also brackets and spaces.
    fields = _read(_PROC / str(pid) / 'stat').rpartition(')')[2].split()
    return int(fields[19]) if len(fields) > 19 and fields[0] not in _DEAD else None


def _read(path: pathlib.Path) -> str:
    try:
        return path.read_text('utf-8', 'replace').strip()
    except OSError:
        return ''
