"""Settings of every test run, and what is dear to make, made once."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from tests.components.transformed import Transformed

# Before anything imports TensorFlow.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

# Timings vary too much on a busy machine for a deadline to say anything about the code.
hypothesis.settings.register_profile('thawline', deadline=None, derandomize=True)
hypothesis.settings.load_profile('thawline')


@pytest.fixture(scope='session')
def transformed(tmp_path_factory: pytest.TempPathFactory) -> Transformed:
    """Transform's real output for a handful of tiny images."""
    from tests.components import transformed as making  # TensorFlow only for those who ask

    return making.transform(tmp_path_factory.mktemp('transformed'))


def pytest_collection_finish() -> None:
    """Keeps what the imports made, millions of objects, out of every later garbage collection.

    Building and tracing a model makes and drops so many objects that collections would come every
    few milliseconds, and find next to nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
