"""The schema that every project shares: `schemas/images.pbtxt`, rules that TFDV cannot infer."""

from __future__ import annotations

import functools
import importlib.resources
import re

_FILE = 'images.pbtxt'
_FEATURE = re.compile(r'^feature \{\n.*?^\}\n', re.MULTILINE | re.DOTALL)
_NAME = re.compile(r'^  name: "(\w+)"', re.MULTILINE)


@functools.cache
def read() -> str:
    """Its text."""
    return (importlib.resources.files('thawline.schemas') / _FILE).read_text('utf-8')


def read_rules() -> str:
    """Its text without the remarks at its beginning, which are about itself."""
    return read().partition('\n\n')[2]


def features() -> dict[str, str]:
    """The text of each of its features, by name."""
    return {_NAME.findall(text)[0]: text for text in _FEATURE.findall(read())}


def complete(reviewed: bytes) -> bytes:
    """A reviewed schema with the features that were not there yet when it was reviewed.

    Args:
        reviewed: its text.
    """
    missing = [
        text.encode()
        for name, text in features().items()
        if not re.search(rb'name\s*:\s*["\']%s["\']' % name.encode(), reviewed)
    ]
    return b'\n'.join([reviewed, *missing]) if missing else reviewed
