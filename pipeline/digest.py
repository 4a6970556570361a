"""Digests of source code, so that an edit is part of the cache key of the node that runs it.

TFX keys its cache on a component's class path and parameters, not on code that is imported by name.
"""

from __future__ import annotations

import hashlib
import pathlib

_COMPONENTS = pathlib.Path(__file__).resolve().parent.parent / 'components'


def of_packages(*names: str) -> str:
    """A digest over the source and the assets of the given packages below `components`."""
    digest = hashlib.sha256()
    for name in sorted(names):
        files = [path for path in sorted((_COMPONENTS / name).rglob('*.*')) if _is_source(path)]
        if not files:
            raise FileNotFoundError(f'no source of components.{name} in {_COMPONENTS}')
        for file in files:
            digest.update(str(file.relative_to(_COMPONENTS)).encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _is_source(path: pathlib.Path) -> bool:
    return path.is_file() and '__pycache__' not in path.parts
