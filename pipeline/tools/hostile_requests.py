"""What clients send to wear a server out, a kind each, for its tests and its benchmark.

Each kind is sent over a connection of its own, as raw bytes: an HTTP library would refuse to send
most of them.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import itertools
import re
import socket
import struct
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping

CLOSED = 0
_STATUS = re.compile(rb'HTTP/1\.1 (\d{3}) ')


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind of hostile request.

    Attributes:
        parts: makes what is sent, part by part; it may pause between them.
        statuses: the right answers, CLOSED for none.
        reads: whether the client waits for the answer.
        ends: whether the client says that it sends no more.
    """

    parts: Callable[[], Iterable[bytes]]
    statuses: frozenset[int]
    reads: bool = True
    ends: bool = False


@dataclasses.dataclass(frozen=True)
class Sizes:
    """How large and slow they are; the defaults fit the server's own limits.

    Attributes:
        body: its limit on a body, in bytes.
        values: its limit on values.
        side: of a square image that the limit on pixels still allows.
        pause: seconds between the bytes of slow clients.
    """

    body: int = 32 * 2**20
    values: int = 1_000_000
    side: int = 7000
    pause: float = 0.5


def send(address: tuple[str, int], kind: Kind, timeout: float = 60.0) -> int:
    """Sends one, and returns the status of the answer, or CLOSED."""
    with contextlib.suppress(OSError), socket.create_connection(address, timeout) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for part in kind.parts():
                connection.sendall(part)
            if kind.ends:
                connection.shutdown(socket.SHUT_WR)
        if not kind.reads:
            return CLOSED
        answer = b''
        while len(answer) < 64 and (received := connection.recv(4096)):
            answer += received
        status = _STATUS.match(answer)
        return int(status[1]) if status else CLOSED
    return CLOSED


def png(width: int, height: int, rows: int | None = None) -> bytes:
    """A black image of one bit a pixel; small however large it is, and cut after some rows."""

    def chunk(name: bytes, content: bytes) -> bytes:
        crc = zlib.crc32(name + content)
        return struct.pack('>I', len(content)) + name + content + struct.pack('>I', crc)

    pixels = zlib.compress(bytes((1 + -(-width // 8)) * (height if rows is None else rows)), 9)
    header = struct.pack('>IIBBBBB', width, height, 1, 0, 0, 0, 0)
    return b''.join(
        [b'\x89PNG\r\n\x1a\n', chunk(b'IHDR', header), chunk(b'IDAT', pixels), chunk(b'IEND', b'')]
    )


def kinds(host: str, model: str, sizes: Sizes | None = None) -> Mapping[str, Kind]:
    """All kinds, by their names; `host` is the value of the header."""
    sizes = sizes or Sizes()
    path = f'/v1/models/{model}:predict'

    def head(*headers: str, method: str = 'POST', where: str = path) -> bytes:
        lines = [f'{method} {where} HTTP/1.1', f'Host: {host}', *headers, '', '']
        return '\r\n'.join(lines).encode()

    def post(make_body: Callable[[], bytes], *headers: str) -> Callable[[], Iterable[bytes]]:
        def parts() -> list[bytes]:
            body = make_body()
            return [head(f'Content-Length: {len(body)}', *headers), body]

        return parts

    def repeated(unit: bytes, size: int) -> Callable[[], Iterable[bytes]]:
        return post(lambda: b'{"instances":[' + unit * (size // len(unit)) + unit[:-1] + b']}')

    def image(encoded: bytes) -> Callable[[], Iterable[bytes]]:
        row = b'{"signature_name":"serving_bytes","instances":[{"b64":"%s"}]}'
        return post(lambda: row % base64.b64encode(encoded))

    def slowly(start: bytes, byte: bytes) -> Callable[[], Iterator[bytes]]:
        def parts() -> Iterator[bytes]:
            yield start
            while True:
                time.sleep(sizes.pause)
                yield byte

        return parts

    def chunks_without_end() -> Iterator[bytes]:
        yield head('Transfer-Encoding: chunked')
        chunk = b'10000\r\n' + b' ' * 0x10000 + b'\r\n'
        yield from itertools.repeat(chunk)

    refused, bad, slow = frozenset({413}), frozenset({400}), frozenset({408, CLOSED})
    fitting = sizes.values * 9 // 10
    body = sizes.body * 9 // 10
    get = head(method='GET', where='/health/live')
    return {
        'arrays beyond the limit': Kind(repeated(b'[],', body), refused),
        'objects beyond the limit': Kind(repeated(b'{},', body), refused),
        'numbers beyond the limit': Kind(repeated(b'1,', body), refused),
        'arrays within the limit': Kind(repeated(b'[],', fitting * 3 // 2), bad),
        'numbers within the limit': Kind(repeated(b'1.5,', fitting * 4), bad),
        'strings within the limit': Kind(repeated(b'"ab",', fitting * 5), refused),
        'deep nesting': Kind(post(lambda: b'{"instances":' + b'[' * (sizes.values // 10)), bad),
        'a long string': Kind(post(lambda: b'{"instances":["' + b'a' * body + b'"]}'), bad),
        'a long key': Kind(post(lambda: b'{"' + b'a' * body + b'":1,"instances":[1]}'), bad),
        'a long number': Kind(post(lambda: b'{"instances":[' + b'9' * body + b']}'), bad),
        'base64 of single letters': Kind(
            post(lambda: b'{"instances":[{"b64":"' + b'A ' * (body // 2) + b'"}]}'), bad
        ),
        'base64 of garbage': Kind(
            post(lambda: b'{"instances":[{"b64":"' + b'AAAA' * (body // 4) + b'"}]}'), bad
        ),
        'NaN and Infinity': Kind(post(lambda: b'{"instances":[NaN,Infinity,-Infinity]}'), bad),
        'invalid UTF-8': Kind(post(lambda: b'{"instances":["\xff\xfe\xc0"]}'), bad),
        'a PNG of 50,000 x 50,000': Kind(image(png(50_000, 50_000, rows=1)), refused),
        'a PNG that is cut off': Kind(image(png(sizes.side, sizes.side, rows=1)), bad),
        'a large black PNG': Kind(image(png(sizes.side, sizes.side)), frozenset({200})),
        'a gzip bomb': Kind(
            post(lambda: zlib.compress(bytes(body), wbits=31), 'Content-Encoding: gzip'),
            frozenset({415}),
        ),
        'chunks without end': Kind(chunks_without_end, frozenset({413, 408, CLOSED})),
        'headers byte by byte': Kind(slowly(head()[:-2], b'a'), slow),
        'a body byte by byte': Kind(slowly(head('Content-Length: 100000'), b' '), slow),
        'a body that is held back': Kind(lambda: [head('Content-Length: 100000'), b'{'], slow),
        'a body that ends early': Kind(
            lambda: [head('Content-Length: 100000'), b'{}'], slow | bad, ends=True
        ),
        'a body that is too long': Kind(lambda: [head('Content-Length: 2'), b'{}{}{}'], bad),
        'an invalid length': Kind(lambda: [head('Content-Length: -1')], bad),
        'many headers': Kind(
            lambda: [head(*(f'X-{i}: {"a" * 90}' for i in range(2000)))], frozenset({400, CLOSED})
        ),
        'no HTTP': Kind(lambda: [b'\x16\x03\x01' + bytes(200)], bad),
        'HTTP/1.0': Kind(lambda: [get.replace(b'HTTP/1.1', b'HTTP/1.0')], frozenset({200})),
        'pipelined requests': Kind(lambda: [get * 200], frozenset({200})),
        'answers that are not read': Kind(
            lambda: [head(method='GET', where='/') * 200], frozenset({CLOSED}), reads=False
        ),
        'silence': Kind(lambda: [], frozenset({CLOSED})),
    }
