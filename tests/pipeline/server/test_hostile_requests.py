"""Every kind of hostile request, small, against a server with small limits."""

from __future__ import annotations

import concurrent.futures
import pathlib

import pytest

from tests.pipeline.server import server_setup
from tests.pipeline.server.server_setup import NAME
from thawline.pipeline.server.bounded_protocol import BoundedProtocol
from thawline.pipeline.server.limits import RequestLimits
from thawline.pipeline.tools import hostile_requests
from thawline.pipeline.tools.hostile_requests import CLOSED, Kind, Sizes

SIZES = Sizes(body=2**20, values=100_000, side=300, pause=0.1)
LIMITS = RequestLimits(body=SIZES.body, values=SIZES.values, pixels=100_000)


def test_each_is_answered_as_it_should_and_none_keeps_others_out(
    served_model: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Longer than a busy machine keeps an honest client waiting, who else would be answered 408.
    stall = 4.0
    monkeypatch.setattr(BoundedProtocol, 'header_seconds', stall)
    monkeypatch.setattr(BoundedProtocol, 'send_seconds', stall)
    server_setup.put(served_model, tmp_path / 'models', 1)
    site = server_setup.site(tmp_path / 'models', limits=LIMITS, stall_seconds=stall)
    with server_setup.listening(site) as url:
        host, _, port = url.removeprefix('http://').partition(':')
        address = (host, int(port))
        kinds = hostile_requests.kinds(f'{host}:{port}', NAME, SIZES)
        with concurrent.futures.ThreadPoolExecutor(len(kinds)) as pool:
            answers = {
                name: pool.submit(hostile_requests.send, address, kind)
                for name, kind in kinds.items()
            }
            live = Kind(
                lambda: [f'GET /health/live HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n'.encode()],
                frozenset({200}),
            )
            assert [hostile_requests.send(address, live, 10.0) for _ in range(20)] == [200] * 20
        wrong = {
            name: answer.result()
            for name, answer in answers.items()
            if answer.result() not in kinds[name].statuses
        }
        assert not wrong
        assert hostile_requests.send(address, live, 10.0) == 200


def test_a_small_file_can_be_a_large_image() -> None:
    import io

    from PIL import Image

    encoded = hostile_requests.png(700, 500)
    assert len(encoded) < 1000
    assert Image.open(io.BytesIO(encoded)).convert('RGB').getextrema() == ((0, 0),) * 3
    assert CLOSED == 0
