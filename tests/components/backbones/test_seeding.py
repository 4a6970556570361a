"""A random base is the same one in every process, whatever else goes on in it."""

from __future__ import annotations

import random
import threading

import keras

from thawline.components import backbones
from thawline.components.backbones import seeding


def digest() -> str:
    return backbones.build('mobilenet_v2_035', 32, 'random').weights_digest


def test_threads_that_draw_random_numbers_do_not_change_it():
    keras.utils.set_random_seed(7)
    expected = digest()  # as the Trainer builds it
    over = threading.Event()

    def draw() -> None:
        while not over.wait(0.001):
            random.random()

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        with seeding.fixed_seed(7):
            value = digest()
    finally:
        over.set()
        thread.join()
    assert value == expected
    with seeding.fixed_seed(8):
        assert digest() != expected
