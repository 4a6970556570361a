"""Real image sets and weights that tests use where they exist beside the checkout."""

from __future__ import annotations

import pathlib

import pytest

SHARED = pathlib.Path(__file__).resolve().parents[2] / 'shared'
needs_shared = pytest.mark.skipif(
    not (SHARED / 'data').is_dir(), reason=f'real image sets are not at {SHARED}'
)
