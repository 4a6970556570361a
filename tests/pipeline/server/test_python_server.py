"""`thawline serve` as a real process: promotions under load, and how it ends."""

from __future__ import annotations

import base64
import collections
import contextlib
import http.client
import json
import pathlib
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest

from tests import fork_server
from tests.pipeline.server import server_setup
from thawline.pipeline.recording import recorded_folder
from thawline.pipeline.tools import hostile_requests

SECONDS = 240  # a busy machine takes its time to import TensorFlow
BODY = json.dumps(
    {
        'signature_name': 'serving_bytes',
        'instances': [{'b64': base64.b64encode(server_setup.png()).decode()}],
    }
)
PATH = f'/v1/models/{server_setup.NAME}:predict'


class Served:
    """A server that was started on a folder of versions."""

    def __init__(
        self, base: pathlib.Path, log: pathlib.Path, *options: str, fresh: bool = False
    ) -> None:
        start = fork_server.fresh_command() if fresh else fork_server.command()
        command = [*start, 'serve', '--python', '--port', '0',
                   '--model', str(base), '--name', server_setup.NAME, *options]  # fmt: skip
        self._log = log
        with log.open('w') as file:
            self.process = subprocess.Popen(
                command, stdout=file, stderr=file, cwd=base.parent, env=server_setup.environment()
            )
        found = self._until(lambda: re.search(r'http://127\.0\.0\.1:(\d+)/', self.said()))
        self.port = int(found[1])

    def said(self) -> str:
        return self._log.read_text()

    def _until(self, ask: object) -> object:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            found = ask()  # type: ignore[operator]
            if found:
                return found
            assert self.process.poll() is None, self.said()
            time.sleep(0.1)
        raise AssertionError(self.said())

    def wait_for(self, version: int) -> None:
        self._until(lambda: self.get('/health')[1].get('version') == version)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection('127.0.0.1', self.port, timeout=120)

    def get(self, path: str) -> tuple[int, dict[str, object]]:
        with contextlib.closing(self.connect()) as connection:
            connection.request('GET', path)
            found = connection.getresponse()
            return found.status, json.loads(found.read())

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(60)


@pytest.fixture
def started(tmp_path: pathlib.Path) -> Iterator[list[Served]]:
    made: list[Served] = []
    yield made
    for one in made:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def resident_megabytes(served: Served) -> float:
    with contextlib.closing(served.connect()) as connection:
        connection.request('GET', '/metrics')
        text = connection.getresponse().read().decode()
    value = re.search(r'^process_resident_memory_bytes (\S+)', text, re.MULTILINE)
    assert value is not None
    return float(value[1]) / 1e6


def serve(
    model: pathlib.Path,
    base: pathlib.Path,
    started: list[Served],
    *options: str,
    fresh: bool = False,
) -> Served:
    """Starts a server on a folder `base` whose version 1 is the model."""
    server_setup.put(model, base, 1)
    started.append(Served(base, base.with_name('log'), *options, fresh=fresh))
    return started[-1]


class Load(threading.Thread):
    """Asks again and again over one connection; counts answers by status."""

    def __init__(self, served: Served) -> None:
        super().__init__(daemon=True)
        self._served = served
        self.statuses: collections.Counter[object] = collections.Counter()
        self.enough = threading.Event()

    def run(self) -> None:
        with contextlib.closing(self._served.connect()) as connection:
            # With a pause, so that the server can load the next version meanwhile.
            while not self.enough.wait(0.01):
                try:
                    connection.request('POST', PATH, BODY)
                    answer = connection.getresponse()
                    answer.read()
                    self.statuses[answer.status] += 1
                except Exception as error:  # noqa: BLE001 - each one is a failed request
                    self.statuses[repr(error)] += 1


@pytest.mark.slow
def test_no_request_fails_during_promotions_nor_at_the_end(
    served_model: pathlib.Path, tmp_path: pathlib.Path, started: list[Served]
) -> None:
    base = tmp_path / 'models'
    kept = tmp_path / 'kept'
    options = ('--record', str(kept), '--record-answers', '10')
    served = serve(served_model, base, started, *options, fresh=True)
    assert served.get('/health/live')[0] == 200  # while TensorFlow is being imported
    served.wait_for(1)

    loads = [Load(served) for _ in range(3)]
    for load in loads:
        load.start()
    for version in range(2, 7):
        server_setup.put(served_model, base, version)
        served.wait_for(version)
    for load in loads:
        load.enough.set()
        load.join(60)
    statuses = sum((load.statuses for load in loads), collections.Counter())
    assert set(statuses) == {200} and statuses[200] >= 20, statuses
    states = {
        one['version']: one['state']
        for one in served.get(f'/v1/models/{server_setup.NAME}')[1]['model_version_status']
    }
    assert states == {**{str(v): 'END' for v in range(1, 6)}, '6': 'AVAILABLE'}

    # A request that has begun is answered after SIGTERM, and nobody new is let in.
    with contextlib.closing(served.connect()) as connection:
        connection.putrequest('POST', PATH)
        connection.putheader('Content-Length', str(len(BODY)))
        connection.endheaders(BODY[:100].encode())
        time.sleep(0.5)
        served.process.send_signal(signal.SIGTERM)
        served._until(lambda: 'stopping after the running requests' in served.said())
        time.sleep(0.5)
        with pytest.raises(ConnectionRefusedError):
            served.get('/health')
        assert served.process.poll() is None
        connection.send(BODY[100:].encode())
        answer = connection.getresponse()
        assert answer.status == 200 and json.loads(answer.read())['predictions']
    assert served.process.wait(30) == 0, served.said()
    assert served.said().count('in service') == 6
    # The folder was full early, which nobody who asks noticed.
    assert recorded_folder.size(kept)[0] == 10 and len(list((kept / 'images').iterdir())) == 1
    assert served.said().count('has stopped: it holds 10 answers') == 1


@pytest.mark.slow
def test_a_request_that_never_ends_is_cut_off(
    served_model: pathlib.Path, tmp_path: pathlib.Path, started: list[Served]
) -> None:
    served = serve(served_model, tmp_path / 'models', started, '--grace', '1')
    with contextlib.closing(served.connect()) as connection:
        connection.putrequest('POST', PATH)
        connection.putheader('Content-Length', '1000')
        connection.endheaders(b'{')
        time.sleep(0.5)
        start = time.monotonic()
        assert served.end() == 1, served.said()
        assert time.monotonic() - start < 30
    assert 'requests cut off: 1' in served.said()


@pytest.mark.slow
def test_memory_of_large_images_is_given_back(
    served_model: pathlib.Path, tmp_path: pathlib.Path, started: list[Served]
) -> None:
    """Decoded, one has 147 MB; TensorFlow's own pool would keep over 150 MB of it for ever."""
    served = serve(served_model, tmp_path / 'models', started)
    served.wait_for(1)
    address = ('127.0.0.1', served.port)
    kinds = hostile_requests.kinds(f'127.0.0.1:{served.port}', server_setup.NAME)
    before = resident_megabytes(served)
    for _ in range(3):
        assert hostile_requests.send(address, kinds['a large black PNG']) == 200
    time.sleep(4)  # What is free is given back two seconds after a request.
    assert resident_megabytes(served) < before + 80
    assert served.end() == 0, served.said()


def test_it_can_be_stopped_while_it_loads_the_first_version(
    served_model: pathlib.Path, tmp_path: pathlib.Path, started: list[Served]
) -> None:
    served = serve(served_model, tmp_path / 'models', started)
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(60) == 0, served.said()
    assert 'in service' not in served.said() and 'Traceback' not in served.said()
