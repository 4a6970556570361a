"""Random initial values that are the same in every process, whatever its other threads do.

Keras takes the seeds of initial values from Python's own generator, which all threads of a process
share. Those of Beam draw from it too (`Reshuffle`, for each element), and a base that is built
beside them would be another one on each worker.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator

import keras
from keras.src.random import seed_generator

_ONE = threading.Lock()


@contextlib.contextmanager
def fixed_seed(seed: int) -> Iterator[None]:
    """For the time of the block Keras draws as after `keras.utils.set_random_seed`, undisturbed."""
    with _ONE:
        keras.utils.set_random_seed(seed)
        theirs = seed_generator.python_random
        # Has no public place; what it draws is what Python's generator would have given.
        seed_generator.python_random = random.Random(seed)
        try:
            yield
        finally:
            seed_generator.python_random = theirs
