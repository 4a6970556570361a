"""Who is at the prompt."""

from __future__ import annotations

import getpass
import os
import socket


def name() -> str:
    """'user@host'; where the user has no name, the number."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f'{user}@{socket.gethostname()}'
