"""Initial values that are the same in every process, whatever its other threads do.

Keras takes the seeds of initial values from Python's own generator, which all threads of a process
share. Beam's threads use it too (`Reshuffle`, for each element), so a base that is built meanwhile
would differ on each worker.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator

import keras
from keras.src.random import seed_generator

_LOCK = threading.Lock()


@contextlib.contextmanager
def fixed_seed(seed: int) -> Iterator[None]:
    """In the block, Keras draws as after `keras.utils.set_random_seed`, whatever others draw."""
    with _LOCK:
        keras.utils.set_random_seed(seed)
        shared = seed_generator.python_random
        # There is no public way; this draws what Python's generator would.
        seed_generator.python_random = random.Random(seed)
        try:
            yield
        finally:
            seed_generator.python_random = shared
