"""Which libraries a format needs, and whether they are there; looks without importing them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Sequence

from thawline.components.export.params import Kind
from thawline.components.shared.errors import ConfigError

# TensorFlow 2.21 converts to LiteRT itself; ai-edge-litert, where it is installed, runs it.
_NEEDED: dict[Kind, tuple[str, ...]] = {
    'litert': ('tensorflow',),
    'litert_dynamic': ('tensorflow',),
    'litert_int8': ('tensorflow',),
    'onnx': ('tf2onnx', 'onnx', 'onnxruntime'),
}
RUNTIME = 'ai_edge_litert'


def missing_libraries(kind: Kind) -> tuple[str, ...]:
    """Names of the packages that a format lacks here."""
    return tuple(name for name in _NEEDED[kind] if not there(name))


def there(package: str) -> bool:
    """Whether a package can be imported."""
    return importlib.util.find_spec(package) is not None


def check(kinds: Sequence[Kind]) -> None:
    """Makes sure that every format that was asked for can be made.

    Raises:
        ConfigError: a library is not installed.
    """
    for place, kind in enumerate(kinds):
        if lacking := missing_libraries(kind):
            raise ConfigError(
                f'serving.exports[{place}] is {kind}, which needs {", ".join(lacking)}: install '
                f'with pip install {" ".join(lacking)}, or leave {kind} out of serving.exports'
            )


def versions(*packages: str) -> str:
    """Names and versions of packages, in words."""
    found = []
    for package in packages:
        try:
            found.append(f'{package} {importlib.metadata.version(package)}')
        except importlib.metadata.PackageNotFoundError:
            found.append(package)
    return ', '.join(found)
