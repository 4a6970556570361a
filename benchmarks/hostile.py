"""The server in Python under hostile load: whether it still answers, and what memory it keeps.

    nice .venv/bin/python -m benchmarks.hostile --write

Starts `thawline serve --python` on a model with random weights. While half-open connections are
kept, clients in parallel send every kind of `pipeline.tools.hostile_requests` in turn, up to the
total. Meanwhile /health/live and a prediction of one JPEG are asked again and again, each over a
new connection. Clients and server share the machine.
"""

from __future__ import annotations

import argparse
import base64
import collections
import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import re
import socket
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Iterator

import numpy as np

from benchmarks import serving
from thawline.components import backbones
from thawline.components.backbones import classifier
from thawline.components.export import warmup
from thawline.components.saved_model import signatures
from thawline.pipeline.tools import hostile_requests, serve_check

RESULTS = pathlib.Path(__file__).with_suffix('.md')
BASE = 'efficientnet_lite0'
PREDICT = f'/v1/models/{serve_check.NAME}:predict'
_MB = 1e6


def ask(address: tuple[str, int], path: str, body: bytes | None = None) -> tuple[int, bytes, float]:
    """Status, answer and seconds of one request; status 0 where there is none."""
    began = time.monotonic()
    connection = http.client.HTTPConnection(*address, timeout=60)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request('GET' if body is None else 'POST', path, body)
        response = connection.getresponse()
        return response.status, response.read(), time.monotonic() - began
    return 0, b'', time.monotonic() - began


class Prober(threading.Thread):
    """Asks the same again and again until it is stopped."""

    def __init__(self, address: tuple[str, int], path: str, body: bytes | None, pause: float):
        super().__init__(daemon=True)
        self._question, self._pause = (address, path, body), pause
        self.seconds: list[float] = []
        self.statuses: collections.Counter[int] = collections.Counter()
        self.stopped = threading.Event()

    def run(self) -> None:
        while not self.stopped.wait(self._pause):
            status, _, seconds = ask(*self._question)
            self.statuses[status] += 1
            self.seconds.append(seconds)

    def line(self, name: str) -> str:
        answers = ', '.join(f'{n} x {status}' for status, n in sorted(self.statuses.items()))
        median, high, most = np.quantile(self.seconds, (0.5, 0.99, 1))
        return f'| {name} | {answers} | {median:.2f} s | {high:.2f} s | {most:.2f} s |'


class Memory(Prober):
    """Reads the server's resident memory from its metrics."""

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, '/metrics', None, 0.2)
        self.megabytes: list[float] = []

    def read(self) -> float | None:
        """Megabytes now."""
        _, text, _ = ask(*self._question)
        value = re.search(rb'^process_resident_memory_bytes (\S+)', text, re.MULTILINE)
        return float(value[1]) / _MB if value else None

    def run(self) -> None:
        while not self.stopped.wait(self._pause):
            megabytes = self.read()
            if megabytes is not None:
                self.megabytes.append(megabytes)


class HalfOpen(threading.Thread):
    """Keeps so many connections open that say nothing, or half of a request line."""

    def __init__(self, address: tuple[str, int], count: int) -> None:
        super().__init__(daemon=True)
        self._address, self._count = address, count
        self._open: collections.deque[socket.socket] = collections.deque()
        self.stopped = threading.Event()

    def run(self) -> None:
        while not self.stopped.is_set():
            with contextlib.suppress(OSError):
                connection = socket.create_connection(self._address, 10)
                if len(self._open) % 2:
                    connection.sendall(b'POST ')
                self._open.append(connection)
            if len(self._open) > self._count:
                self._open.popleft().close()
                time.sleep(0.01)
        for connection in self._open:
            connection.close()


@contextlib.contextmanager
def model(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Exports a model of random weights."""
    size = backbones.entry(BASE).default_size
    exported = classifier.build(backbones.build(BASE, size, None), 'blocks', 2, 0.2, seed=0)
    graph = serving.transform_graph(folder, size)
    target = folder / 'model'
    signatures.export(exported, serving.CLASSES, graph, size, serving.RESIZE, target)
    yield target


def attack(
    address: tuple[str, int], requests: int, clients: int, half_open: int
) -> tuple[list[str], list[str]]:
    """Sends the requests; returns the lines of the results, and the kinds answered wrongly."""
    kinds = hostile_requests.kinds(f'{address[0]}:{address[1]}', serve_check.NAME)
    encoded = base64.b64encode(warmup.jpeg(warmup.picture())).decode()
    document = {'signature_name': 'serving_bytes', 'instances': [{'b64': encoded}]}
    question = json.dumps(document).encode()
    for _ in range(20):
        ask(address, PREDICT, question)
    health = Prober(address, '/health/live', None, 0.1)
    predict = Prober(address, PREDICT, question, 0.5)
    memory, waiting = Memory(address), HalfOpen(address, half_open)
    before = memory.read()
    assert before is not None
    for thread in (health, predict, memory, waiting):
        thread.start()
    answers: dict[str, collections.Counter[int]] = {name: collections.Counter() for name in kinds}
    slowest: collections.Counter[str] = collections.Counter()

    def send(number: int) -> None:
        name = list(kinds)[number % len(kinds)]
        began = time.monotonic()
        answers[name][hostile_requests.send(address, kinds[name])] += 1
        slowest[name] = max(slowest[name], time.monotonic() - began)  # type: ignore[assignment]

    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        list(pool.map(send, range(requests)))
    lasted = time.monotonic() - began
    for thread in (health, predict, memory, waiting):
        thread.stopped.set()
        thread.join()
    time.sleep(5)
    after = memory.read()
    assert after is not None
    # Beside what is right: the server has no room for so many large bodies at a time.
    overload = {408, 503, hostile_requests.CLOSED}
    wrong = [n for n, kind in kinds.items() if set(answers[n]) - kind.statuses - overload]
    lines = [
        f'{requests:,} requests by {clients} clients and {half_open:,} half-open connections in '
        f'{lasted:.0f} s, on {os.cpu_count()} cores.',
        '',
        '| asked meanwhile | answers | median | 99 % | longest |',
        '|---|---|---|---|---|',
        health.line('`/health/live`'),
        predict.line('one JPEG'),
        '',
        '| memory | before | at most | 5 s after |',
        '|---|---|---|---|',
        f'| resident | {before:,.0f} MB | {max(memory.megabytes):,.0f} MB | {after:,.0f} MB |',
        '',
        '| kind | right | answers (0: closed without one) | longest |',
        '|---|---|---|---|',
        *(
            f'| {name} | {", ".join(map(str, sorted(kinds[name].statuses)))} | '
            f'{", ".join(f"{n} x {status}" for status, n in sorted(counted.items()))} | '
            f'{slowest[name]:.1f} s |'
            for name, counted in answers.items()
        ),
    ]
    return lines, wrong


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--requests', type=int, default=2000)
    parser.add_argument('--clients', type=int, default=32)
    parser.add_argument('--half-open', type=int, default=1300)
    parser.add_argument('--write', action='store_true', help=f'write {RESULTS.name}')
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, model(pathlib.Path(scratch)) as folder:
        options = ['--python', '--port', '0', '--model', str(folder)]
        with serve_check.serving(options) as output:
            url = urllib.parse.urlparse(serve_check.address_of(output))
            address = (str(url.hostname), int(url.port or 0))
            lines, wrong = attack(
                address, arguments.requests, arguments.clients, arguments.half_open
            )
    text = '\n'.join(
        [
            '# The server under hostile load',
            '',
            f'`python -m benchmarks.hostile --clients {arguments.clients} --write`; '
            'what is sent and how is said in [hostile.py](hostile.py).',
            '',
            *lines,
            '',
        ]
    )
    print(text)
    if arguments.write:
        RESULTS.write_text(text, 'utf-8')
    if wrong:
        raise SystemExit(f'answered wrongly: {", ".join(wrong)}')


if __name__ == '__main__':
    main()
