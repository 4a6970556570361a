"""Digests of source code, so that an edit is part of the cache key of the node that runs it.

TFX keys its cache on a component's class path and parameters, not on code that is imported by name.
"""

from __future__ import annotations

import hashlib
import pathlib

_COMPONENTS = pathlib.Path(__file__).resolve().parent.parent / 'components'


def of_packages(*names: str) -> str:
    """A digest over every .py file of the given packages below `components`."""
    digest = hashlib.sha256()
    for name in sorted(names):
        files = sorted((_COMPONENTS / name).rglob('*.py'))
        if not files:
            raise FileNotFoundError(f'no source of components.{name} in {_COMPONENTS}')
        for file in files:
            digest.update(str(file.relative_to(_COMPONENTS)).encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]
