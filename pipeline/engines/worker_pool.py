"""A pool of Beam's Python workers for engines that request them from outside (EXTERNAL).

Behind one address are several processes that have imported TensorFlow and TFX before work comes. A
new worker starts in the process with the fewest; a crashed process is replaced. One pool runs
beside each Flink TaskManager or Spark worker.

Like every Beam worker a pool runs whatever code it is sent: it listens on the loopback interface.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import subprocess
import sys
import threading
from concurrent import futures

import grpc
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc

from thawline.pipeline.engines import processes as processes_lib
from thawline.pipeline.engines import worker_code

_THREADS = 16  # requests answered at once
_LOG = logging.getLogger(__name__)


class _Host:
    """One process and its address."""

    def __init__(self) -> None:
        read, write = os.pipe()
        self._process = subprocess.Popen(
            [
                sys.executable, '-m', 'thawline.pipeline.engines.worker_host',
                '--parent', str(os.getpid()), '--ready', str(write),
            ],
            env=processes_lib.environment(), pass_fds=(write,), stdin=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(write)
        self._ready = os.fdopen(read)
        self._address = ''
        self.started = 0

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def address(self) -> str:
        """Where it listens, once it does."""
        if not self._address:
            port = self._ready.readline().strip()
            if not port:
                raise RuntimeError(f'a worker process ended ({self._process.wait()}); see the log')
            self._address = f'127.0.0.1:{port}'
        return self._address

    def start_worker(
        self, request: beam_fn_api_pb2.StartWorkerRequest
    ) -> beam_fn_api_pb2.StartWorkerResponse:
        with grpc.insecure_channel(self.address()) as channel:
            stub = beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolStub(channel)
            return stub.StartWorker(request, timeout=60)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._ready.close()


class Front(beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolServicer):
    """Distributes requests for workers among the processes."""

    def __init__(self, processes: int) -> None:
        """Starts the processes, without waiting for their imports."""
        self._code = worker_code.digest()
        self._lock = threading.Lock()
        self._hosts = [_Host() for _ in range(processes)]

    def wait(self) -> None:
        for host in self._hosts:
            host.address()

    def StartWorker(  # noqa: N802 - the name is gRPC's
        self, request: beam_fn_api_pb2.StartWorkerRequest, unused_context: object
    ) -> beam_fn_api_pb2.StartWorkerResponse:
        """Starts a worker in the process with the fewest, if it would run the right code."""
        if refused := worker_code.refusal(request.params, self._code):
            _LOG.error('%s', refused)
            return beam_fn_api_pb2.StartWorkerResponse(error=refused)
        try:
            with self._lock:
                self._replace_dead()
                host = min(self._hosts, key=lambda host: host.started)
                host.started += 1
            return host.start_worker(request)
        except (RuntimeError, grpc.RpcError) as error:
            _LOG.exception('worker %s cannot be started', request.worker_id)
            return beam_fn_api_pb2.StartWorkerResponse(error=str(error))

    def StopWorker(  # noqa: N802
        self, request: beam_fn_api_pb2.StopWorkerRequest, unused_context: object
    ) -> beam_fn_api_pb2.StopWorkerResponse:
        """Does nothing; see `worker_host`."""
        return beam_fn_api_pb2.StopWorkerResponse()

    def close(self) -> None:
        for host in self._hosts:
            host.end()

    def _replace_dead(self) -> None:
        least = min(host.started for host in self._hosts)
        for position, host in enumerate(self._hosts):
            if not host.is_alive:
                _LOG.warning('a worker process has ended and is replaced')
                self._hosts[position] = _Host()
                self._hosts[position].started = least


def serve(front: Front, port: int, host: str) -> grpc.Server:
    server = grpc.server(futures.ThreadPoolExecutor(_THREADS))
    server.add_insecure_port(f'{host}:{port}')
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(front, server)
    server.start()
    return server


def run(port: int, processes: int, host: str = '127.0.0.1') -> None:
    """Serves until it is stopped, from when all processes are ready."""
    front = Front(processes)
    try:
        front.wait()
        server = serve(front, port, host)
        _LOG.info('%d processes serve workers at %s:%d', processes, host, port)
        server.wait_for_termination()
    finally:
        front.close()


def main() -> None:
    """The program that a run starts."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--port', type=int, required=True)
    parser.add_argument('--processes', type=int, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that its processes end first
    run(arguments.port, arguments.processes)


if __name__ == '__main__':
    main()
