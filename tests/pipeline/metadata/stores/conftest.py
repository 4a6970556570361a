"""One server for each file of tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import postgresql


@pytest.fixture(scope='module')
def running() -> Iterator[postgresql.Server]:
    with postgresql.running() as started:
        yield started
