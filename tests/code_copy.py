"""A copy of the code that tests may edit."""

from __future__ import annotations

import pathlib
import shutil

from thawline import ROOT


def copy_code(folder: pathlib.Path) -> pathlib.Path:
    """Copies all packages, with the links by which they are imported, into a folder."""
    for name in ('thawline', 'pipeline', 'components', 'schemas'):
        ignored = shutil.ignore_patterns('__pycache__')
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=ignored)
    return folder
