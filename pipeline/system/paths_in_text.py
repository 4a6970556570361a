"""Puts one folder in place of another wherever it begins a path in a text."""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections.abc import Mapping
from typing import Any

_BEFORE = r'(?<![^\s"\'=:,;(\[{])'  # else it is the end of another path
_AFTER = r'(?![^/\s"\',;:)\]}])'  # else it is the beginning of another name
# How JSON is written; where a text is none of these, its spaces may change.
_STYLES = tuple(itertools.product((True, False), ((', ', ': '), (',', ':'))))


def replace_folders(text: str, others: Mapping[str, str]) -> str:
    """A text with other folders.

    Args:
        text: a path, or anything with paths in it; JSON stays JSON, also within JSON.
        others: what takes the place of a folder; of two in one another, the inner one counts.
    """
    if text.startswith(('{', '[')):
        try:
            values = json.loads(text)
        except (ValueError, RecursionError):
            pass
        else:
            return _json_like(text, values, _replace_all(values, others))
    for folder in sorted(others, key=len, reverse=True):
        text = _pattern(folder).sub(others[folder].replace('\\', r'\\'), text)
    return text


@functools.cache
def _pattern(folder: str) -> re.Pattern[str]:
    return re.compile(_BEFORE + re.escape(folder) + _AFTER)


def _replace_all(value: Any, others: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return replace_folders(value, others)
    if isinstance(value, list):
        return [_replace_all(item, others) for item in value]
    if isinstance(value, dict):
        return {
            replace_folders(key, others): _replace_all(item, others) for key, item in value.items()
        }
    return value


def _json_like(text: str, before: Any, after: Any) -> str:
    """New values in the style of the text that the old ones were read from."""
    if after == before:
        return text
    for ascii_only, separators in _STYLES:
        if json.dumps(before, ensure_ascii=ascii_only, separators=separators) == text:
            return json.dumps(after, ensure_ascii=ascii_only, separators=separators)
    return json.dumps(after)
