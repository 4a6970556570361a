"""Bodies that come slowly, or are too many at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.requests import Request

from tests.pipeline.server.server_setup import run_loop
from thawline.pipeline.server.limits import RequestLimits, TooLarge
from thawline.pipeline.server.request_body import BodyReceiver, TooSlow
from thawline.pipeline.server.request_queue import QueueFull

LIMITS = RequestLimits(body=300_000)
PART = 2**16


def request(*parts: bytes, pause: float = 0.0, last: bool = True) -> Request:
    """Its body comes in these parts; without the last one it never ends."""
    rest = list(parts)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(pause)
        if not rest:
            await asyncio.sleep(60)
        body = rest.pop(0)
        return {'type': 'http.request', 'body': body, 'more_body': bool(rest) or not last}

    return Request({'type': 'http', 'method': 'POST', 'path': '/', 'headers': []}, receive)


def held_back(*parts: bytes) -> Request:
    return request(*parts, last=False)


async def body_of(receiver: BodyReceiver, asked: Request) -> bytes:
    async with receiver.receive(asked) as body:
        return bytes(body)


def test_a_body_is_the_sum_of_its_parts() -> None:
    assert run_loop(body_of(BodyReceiver(LIMITS), request(b'ab', b'', b'c'))) == b'abc'


def test_too_many_bytes() -> None:
    with pytest.raises(TooLarge, match='327,680 bytes; the limit is 300,000'):
        run_loop(body_of(BodyReceiver(LIMITS), request(*[bytes(PART)] * 5)))
    # Not read to its end, which would never come.
    with pytest.raises(TooLarge):
        run_loop(body_of(BodyReceiver(LIMITS), held_back(*[bytes(PART)] * 100)))


@pytest.mark.parametrize(
    ('asked', 'seconds', 'status'),
    [
        (lambda: held_back(b'{'), (9, 0.2), TooSlow),
        # A byte now and then is too little.
        (lambda: request(*[b' '] * 20, pause=0.05), (9, 0.3), TooSlow),
        (lambda: request(*[bytes(PART)] * 4, pause=0.15), (9, 0.5), None),
        (lambda: request(*[bytes(PART)] * 4, pause=0.15), (0.4, 0.5), TooSlow),
    ],
)
def test_time(
    asked: Callable[[], Request], seconds: tuple[float, float], status: type[Exception] | None
) -> None:
    began = time.monotonic()
    receiver = BodyReceiver(LIMITS, *seconds)
    if status is None:
        assert len(run_loop(body_of(receiver, asked()))) == 4 * PART
    else:
        with pytest.raises(status):
            run_loop(body_of(receiver, asked()))
    assert time.monotonic() - began < 5


async def outcomes(*bodies: Awaitable[bytes]) -> list[object]:
    """Lengths and types of errors, of bodies that are received at the same time."""
    results = await asyncio.gather(*bodies, return_exceptions=True)
    return [type(r) if isinstance(r, BaseException) else len(r) for r in results]


def test_too_many_bodies_give_up_the_oldest() -> None:
    receiver = BodyReceiver(LIMITS, 9, 0.5, most=2)
    asked = [held_back(b'a'), held_back(b'b'), request(b'c'), request(b'dd')]
    began = time.monotonic()

    async def all_of_them() -> list[object]:
        return await outcomes(*(body_of(receiver, one) for one in asked))

    assert run_loop(all_of_them()) == [TooSlow, TooSlow, 1, 2]
    assert time.monotonic() - began < 5


def test_large_bodies_share_their_room_and_small_ones_need_none() -> None:
    receiver = BodyReceiver(LIMITS, large_bytes=3 * PART, small=PART)

    async def meanwhile() -> list[object]:
        async with receiver.receive(request(bytes(3 * PART))) as body:
            refused = await outcomes(body_of(receiver, request(*[bytes(PART)] * 3)))
            refused += await outcomes(body_of(receiver, request(*[bytes(PART)] * 2)))
            refused += await outcomes(
                *(body_of(receiver, request(bytes(PART))) for _ in range(5)),
            )
            assert len(body) == 3 * PART
        # What has ended, or was refused, counts no more.
        return [*refused, *await outcomes(body_of(receiver, request(bytes(4 * PART))))]

    assert run_loop(meanwhile()) == [QueueFull, 2 * PART, *[PART] * 5, 4 * PART]


def test_what_was_given_up_leaves_its_room() -> None:
    receiver = BodyReceiver(LIMITS, 9, 9, most=1, large_bytes=3 * PART, small=PART)
    asked = [held_back(bytes(4 * PART)), request(bytes(4 * PART), pause=0.1)]

    async def one_after_the_other() -> list[object]:
        first = asyncio.create_task(body_of(receiver, asked[0]))
        await asyncio.sleep(0.1)
        return await outcomes(first, body_of(receiver, asked[1]))

    assert run_loop(one_after_the_other()) == [TooSlow, 4 * PART]


def test_one_that_is_out_of_time_already_can_be_given_up() -> None:
    """Many at once, each with hardly any time: none fails for another's end."""
    receiver = BodyReceiver(LIMITS, 9, 0.001, most=1)

    async def many() -> list[object]:
        results = []
        for _ in range(100):
            results += await outcomes(*(body_of(receiver, held_back(b'a')) for _ in range(5)))
            await asyncio.sleep(0.0005)
        return results

    assert set(run_loop(many())) == {TooSlow}
