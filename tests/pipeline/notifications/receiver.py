"""A real HTTP server on this machine that answers as it is told and keeps what it was sent."""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import threading
import time
from collections.abc import Iterator, Mapping

MOST = 20  # seconds that it holds an answer back


@dataclasses.dataclass(frozen=True)
class Answer:
    """An answer; with `hold` it does not come before the server ends."""

    status: int = 200
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: bytes = b''
    hold: bool = False
    raw: bytes | None = None


@dataclasses.dataclass(frozen=True)
class Request:
    """What came."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float


class Receiver:
    """Answers the first request with the first answer and so on, and then with the last."""

    def __init__(self, answers: tuple[Answer, ...]) -> None:
        self.answers = answers or (Answer(),)
        self.requests: list[Request] = []
        self.released = threading.Event()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver._post(self)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.url = f'http://127.0.0.1:{self.server.server_port}'

    def _post(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get('content-length', 0))
        headers = {key.lower(): value for key, value in handler.headers.items()}
        body = handler.rfile.read(length)
        self.requests.append(Request(handler.path, headers, body, time.monotonic()))
        answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if answer.hold:
                self.released.wait(MOST)
            if answer.raw is not None:
                handler.wfile.write(answer.raw)
                handler.close_connection = True
                return
            handler.send_response(answer.status)
            for name, value in answer.headers.items():
                handler.send_header(name, value)
            handler.send_header('content-length', str(len(answer.body)))
            handler.end_headers()
            handler.wfile.write(answer.body)


@contextlib.contextmanager
def listening(*answers: Answer) -> Iterator[Receiver]:
    """A server for the time of the block."""
    receiver = Receiver(answers)
    thread = threading.Thread(target=receiver.server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield receiver
    finally:
        receiver.released.set()
        receiver.server.shutdown()
        thread.join()
        receiver.server.server_close()
