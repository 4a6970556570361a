"""What is made once is made once, and again where making it failed."""

from __future__ import annotations

import pathlib
import threading
import time

import pytest

from tests import once


def test_the_first_makes_it_and_the_others_wait(tmp_path: pathlib.Path) -> None:
    made, read = [], []

    def ask() -> None:
        with once.making(tmp_path / 'a' / 'b') as is_first:
            if is_first:
                time.sleep(0.1)
                made.append(1)
            read.append(len(made))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1] and read == [1] * 4


def test_what_failed_is_made_again(tmp_path: pathlib.Path) -> None:
    with pytest.raises(KeyError), once.making(tmp_path) as is_first:
        assert is_first
        raise KeyError
    with once.making(tmp_path) as is_first:
        assert is_first
    with once.making(tmp_path) as is_first:
        assert not is_first
