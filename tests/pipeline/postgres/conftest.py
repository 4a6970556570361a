"""One server for each file of tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests import postgresql


@pytest.fixture(scope='module')
def running() -> Iterator[postgresql.Server]:
    os.environ[postgresql.VARIABLE] = postgresql.PASSWORD
    with postgresql.running() as started:
        yield started
    del os.environ[postgresql.VARIABLE]
