"""Graphs of the tests of training, run as they are."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

# These train, export and serve as a run does.
_OPTIMISED = ('test_run_fn.py',)


@pytest.fixture(scope='module', autouse=True)
def _graphs_as_traced(request: pytest.FixtureRequest) -> Iterator[None]:
    """Without TensorFlow's optimiser of graphs (Grappler).

    It takes two of three seconds of the first step of each training here, which then runs for
    milliseconds. Training with it is tested by `test_run_fn` and by whole runs.
    """
    import tensorflow as tf  # only for those who ask

    is_off = pathlib.Path(request.path).name not in _OPTIMISED
    tf.config.optimizer.set_experimental_options({'disable_meta_optimizer': is_off})
    yield
    tf.config.optimizer.set_experimental_options({'disable_meta_optimizer': False})
