"""The services that an engine needs: checked where they run already, else started for the run."""

from __future__ import annotations

import contextlib
import logging
import os
import pathlib
import sys

from thawline.components.shared import progress
from thawline.components.shared.errors import ConfigError
from thawline.pipeline.config.beam import Beam
from thawline.pipeline.engines import health_checks, java, processes, worker_code
from thawline.pipeline.engines.beam_options import Endpoints
from thawline.pipeline.system import ports

_JOB_SERVER_START = 90.0  # seconds, on a busy machine
_POOL_START = 900.0  # seconds; each process imports TensorFlow and TFX
_LOCAL_HOSTS = ('localhost', '127.0.0.1', '[::1]')
_FLINK_SERVER = 'org.apache.beam.runners.flink.FlinkJobServerDriver'
_SPARK_SERVER = 'org.apache.beam.runners.spark.SparkJobServerDriver'


class Services:
    """The job server and the worker pool of a run; `job_log` is of a job server started here."""

    def __init__(self, beam: Beam, home: pathlib.Path, folder: pathlib.Path) -> None:
        """Starts nothing yet; paths in the settings are relative to `home`."""
        self._beam, self._home, self._folder = beam, home, folder
        self._started = contextlib.ExitStack()
        self._endpoints: Endpoints | None = None
        self._slots: int | None = None
        self.job_log: pathlib.Path | None = None

    def slots(self) -> int | None:
        """How many workers a Flink cluster runs at once; None where it cannot be asked."""
        beam = self._beam
        if beam.engine == 'flink' and beam.job_endpoint is None and self._slots is None:
            self._slots = health_checks.flink_slots(beam.flink.master)
        return self._slots

    def endpoints(self) -> Endpoints:
        """Their addresses; checks those in the settings and starts the others."""
        if self._endpoints is None:
            # Before anything is started.
            self.slots()
            if self._beam.job_endpoint is not None:
                health_checks.check_job_server(self._beam.job_endpoint)
            elif self._beam.engine == 'spark' and self._beam.spark.address is not None:
                health_checks.check_spark(self._beam.spark.address)
            pool = self._worker_pool()
            self._endpoints = Endpoints(self._job_server(), pool, worker_code.digest())
        return self._endpoints

    def close(self) -> None:
        """Ends the services started here."""
        self._started.close()
        self._endpoints = self.job_log = None

    def _job_server(self) -> str:
        if self._beam.job_endpoint is not None:
            return self._beam.job_endpoint
        port = ports.free_port()
        address = f'localhost:{port}'
        name = {'flink': "Flink's job server", 'spark': "Spark's job server"}.get(
            self._beam.engine, "Beam's job service"
        )
        service = self._start(name, 'job_server', self._job_server_command(port))
        service.wait_until(lambda: health_checks.is_listening(address), _JOB_SERVER_START)
        self.job_log = service.log
        return address

    def _job_server_command(self, port: int) -> list[str]:
        beam = self._beam
        if beam.engine == 'portable':
            main = 'apache_beam.runners.portability.local_job_service_main'
            return [sys.executable, '-m', main, '--port', str(port)]
        places = [
            f'--artifacts-dir={self._folder / "staged"}', '--job-host=localhost',
            f'--job-port={port}', '--artifact-port=0', '--expansion-port=0',
        ]  # fmt: skip
        if beam.engine == 'flink' and beam.flink.job_server:
            jars, master = self._home / beam.flink.job_server, beam.flink.master
            return java.command(jars, _FLINK_SERVER, 512, f'--flink-master={master}', *places)
        if beam.engine == 'spark' and beam.spark.job_server:
            jars, master = self._home / beam.spark.job_server, beam.spark.master
            return java.command(jars, _SPARK_SERVER, 1024, f'--spark-master-url={master}', *places)
        raise ConfigError(f'beam.job_endpoint is missing. Received: engine {beam.engine!r}')

    def _worker_pool(self) -> str:
        beam = self._beam
        master = {'flink': beam.flink.master, 'spark': beam.spark.address}.get(beam.engine)
        is_remote = master is not None and master.rpartition(':')[0] not in _LOCAL_HOSTS
        if beam.worker_pool is not None:
            # On a remote cluster, localhost is each of its machines.
            if not is_remote:
                health_checks.check_worker_pool(beam.worker_pool)
            return beam.worker_pool
        if is_remote:
            raise ConfigError(
                'beam.worker_pool: the cluster is on other machines; run thawline workers --port '
                '50000 beside each of its workers and set worker_pool: localhost:50000'
            )
        port = ports.free_port()
        most = beam.worker_limit if beam.workers == 'auto' else beam.workers
        number = min(most, os.cpu_count() or 1)
        command = [
            sys.executable, '-m', 'thawline.pipeline.engines.worker_pool', '--port', str(port),
            '--processes', str(number),
        ]  # fmt: skip
        progress.start(f'starting {number} worker process{"es" if number > 1 else ""}')
        service = self._start('the worker pool', 'worker_pool', command)
        address = f'localhost:{port}'
        service.wait_until(lambda: health_checks.is_listening(address), _POOL_START)
        return address

    def _start(self, name: str, log: str, command: list[str]) -> processes.Service:
        service = processes.Service(name, command, self._folder / f'{log}-{os.getpid()}.log')
        self._started.callback(service.stop)
        logging.info('%s: process %d, log %s', name, service.pid, service.log)
        return service
