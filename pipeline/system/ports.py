"""Free ports of this machine."""

from __future__ import annotations

import socket


def free_port(preferred: int = 0) -> int:
    """A port of the loopback interface that nobody uses now: the preferred one if it is free."""
    with socket.socket() as probe:
        try:
            probe.bind(('127.0.0.1', preferred))
        except OSError:
            probe.bind(('127.0.0.1', 0))
        return int(probe.getsockname()[1])
