"""Connections on real sockets: how many there may be, and how long they may wait."""

from __future__ import annotations

import contextlib
import json
import pathlib
import resource
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.pipeline.server import server_setup
from thawline.pipeline.server import bounded_protocol
from thawline.pipeline.server.bounded_protocol import BoundedProtocol

LIVE = b'GET /health/live HTTP/1.1\r\nHost: %s\r\n\r\n'
MOST = 6


@pytest.fixture
def address(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Of a server with small bounds, and no model."""
    monkeypatch.setattr(BoundedProtocol, 'most', MOST)
    monkeypatch.setattr(BoundedProtocol, 'header_seconds', 0.5)
    monkeypatch.setattr(BoundedProtocol, 'idle_seconds', 1.5)
    monkeypatch.setattr(BoundedProtocol, 'send_seconds', 0.5)
    with server_setup.listening(server_setup.site(tmp_path), loaded=False) as url:
        yield url.removeprefix('http://')


@contextlib.contextmanager
def connected(address: str) -> Iterator[socket.socket]:
    host, port = address.split(':')
    with socket.create_connection((host, int(port)), 20) as connection:
        yield connection


def received(connection: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            parts.append(part)
    return b''.join(parts)


def assert_error(answer: bytes, status: int, words: str) -> None:
    head, _, body = answer.partition(b'\r\n\r\n')
    assert head.startswith(b'HTTP/1.1 %d ' % status), answer
    assert b'content-type: application/json' in head.lower()
    assert b'connection: close' in head.lower()
    assert words in json.loads(body)['error']


def live(address: str) -> bytes:
    """The status line of a probe over a new connection."""
    with connected(address) as connection:
        connection.sendall(LIVE % address.encode())
        return connection.recv(4096).split(b'\r\n')[0]


def test_headers_have_a_time_limit(address: str) -> None:
    with connected(address) as silent, connected(address) as slow, connected(address) as drip:
        slow.sendall(b'POST / HTTP/1.1\r\nHost:')
        stopped = threading.Event()

        def send_on() -> None:
            with contextlib.suppress(OSError):
                while not stopped.wait(0.1):
                    drip.sendall(b'G')

        thread = threading.Thread(target=send_on)
        thread.start()
        assert received(silent) == b''
        assert_error(received(slow), 408, 'headers')
        assert_error(received(drip), 408, 'headers')
        stopped.set()
        thread.join()


def test_a_second_request_has_the_same_limit_and_an_idle_connection_a_longer_one(
    address: str,
) -> None:
    with connected(address) as idle, connected(address) as slow:
        for connection in (idle, slow):
            connection.sendall(LIVE % address.encode())
            answer = b''
            while b'{"live": true}' not in answer:
                answer += connection.recv(4096)
        slow.sendall(b'GET /health')
        began = time.monotonic()
        assert_error(received(slow), 408, 'headers')
        half = time.monotonic() - began
        assert received(idle) == b''
        assert half < 1.2 < time.monotonic() - began


def test_connections_that_wait_make_room_for_new_ones(address: str) -> None:
    with contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(connected(address)) for _ in range(3 * MOST)]
        assert live(address) == b'HTTP/1.1 200 OK'
        # The oldest are gone before their time, the newest are not.
        waiting[0].settimeout(0.2)
        assert received(waiting[0]) == b''
        waiting[-1].sendall(LIVE % address.encode())
        assert waiting[-1].recv(4096).startswith(b'HTTP/1.1 200 OK')


def test_where_all_are_busy_a_new_one_is_refused_in_words(address: str) -> None:
    path = f'/v1/models/{server_setup.NAME}:predict'
    head = f'POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 9\r\n\r\n'.encode()
    with contextlib.ExitStack() as stack:
        for _ in range(MOST):
            stack.enter_context(connected(address)).sendall(head)
        time.sleep(0.3)
        refused = stack.enter_context(connected(address))
        assert_error(received(refused), 503, 'too many connections')


def test_what_is_no_http_is_answered_as_json(address: str) -> None:
    for garbage in (b'\x16\x03\x01' + bytes(50), b'GET / HTTP/1.1\r\n' + b'a' * 100_000):
        with connected(address) as connection:
            connection.sendall(garbage)
            assert_error(received(connection), 400, 'Invalid HTTP request')


def test_clients_that_do_not_read_are_cut_off(address: str) -> None:
    page = b'GET / HTTP/1.1\r\nHost: %s\r\n\r\n' % address.encode()
    with connected(address) as connection, pytest.raises((ConnectionResetError, BrokenPipeError)):
        while True:  # without the bound this would wait, and end with a timeout
            connection.sendall(page * 100)


def test_half_of_the_file_descriptors_are_left_to_others() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (400, hard))
        assert bounded_protocol.most_connections() == 200
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert bounded_protocol.most_connections() <= bounded_protocol.MOST_CONNECTIONS
