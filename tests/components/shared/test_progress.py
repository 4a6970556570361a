"""Progress reaches a listener whole and in order; without one the calls do nothing."""

from __future__ import annotations

import concurrent.futures

import pytest

from thawline.components.shared import progress
from thawline.components.shared.progress import Progress


def test_without_a_listener_nothing_is_kept() -> None:
    progress.start('images', 10)
    progress.advance(4)
    progress.note('half')
    seen: list[Progress] = []
    with progress.listening(seen.append):
        assert seen == []
        progress.advance()
    assert seen == [Progress(done=1)]


def test_listener_sees_every_change() -> None:
    seen: list[Progress] = []
    with progress.listening(seen.append):
        progress.start('images', 3)
        progress.advance()
        progress.advance(2)
        progress.note('all there')
        progress.start('reading')
    progress.advance(100)
    assert seen == [
        Progress('images', 0, 3),
        Progress('images', 1, 3),
        Progress('images', 3, 3),
        Progress('images', 3, 3, 'all there'),
        Progress('reading', 0, None),
    ]


def test_counts_from_threads_add_up() -> None:
    seen: list[Progress] = []
    with progress.listening(seen.append):
        progress.start('images', 8 * 500)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: [progress.advance() for _ in range(500)], range(8)))
    assert [p.done for p in seen] == list(range(8 * 500 + 1))


def test_listener_is_gone_after_an_error_and_the_next_one_starts_afresh() -> None:
    first: list[Progress] = []
    with pytest.raises(RuntimeError), progress.listening(first.append):
        progress.start('images', 3)
        raise RuntimeError
    progress.advance()
    second: list[Progress] = []
    with progress.listening(second.append):
        progress.note('hello')
    assert first == [Progress('images', 0, 3)]
    assert second == [Progress(remark='hello')]
