"""The lock and what is installed, as comparable versions."""

from __future__ import annotations

import importlib.metadata
import re

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def read_lock(text: str) -> dict[str, str]:
    """Normalised name -> version of the lock's pins that apply to this interpreter."""
    pins: dict[str, str] = {}
    for line in re.sub(r'\\\n', ' ', text).splitlines():
        statement = re.sub(r'\s--hash=\S+', '', line.split(' #')[0]).strip()
        if not statement or statement.startswith(('#', '-')):
            continue
        requirement = Requirement(statement)
        if requirement.marker is None or requirement.marker.evaluate():
            (pin,) = requirement.specifier
            pins[canonicalize_name(requirement.name)] = pin.version
    return pins


def read_installed() -> dict[str, str]:
    """Normalised name -> version of all that the running interpreter can import."""
    return {
        canonicalize_name(item.name): item.version for item in importlib.metadata.distributions()
    }
