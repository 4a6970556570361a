"""Clusters on the loopback interface, for demos: the common part of Flink's and Spark's."""

from __future__ import annotations

import abc
import contextlib
import os
import pathlib
import signal
from collections.abc import Mapping
from typing import Any, Self

from thawline.pipeline.engines import java, processes
from thawline.pipeline.tools.cluster_demo.jars import Jars

_START = 180.0  # seconds, on a busy machine


class Cluster(abc.ABC):
    """A context that ends the cluster: a leader, and workers with a slot each.

    Attributes:
        VARIABLES: environment variables that runs on it need.
        place: folder of the jars.
        folder: for its configuration, logs and temporary files.
        page: address of its web page.
    """

    JARS: Jars
    LEADER: str
    WORKER: str
    VARIABLES: Mapping[str, str] = {}

    def __init__(self, folder: pathlib.Path, workers: int = 2) -> None:
        """Downloads the jars and starts nothing yet."""
        self.place = self.JARS.fetch()
        self.folder, self._size = folder, workers
        self._cleanup = contextlib.ExitStack()
        self._workers: list[processes.Service] = []
        self.page = ''

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self.start_leader().wait_until(lambda: self.slots() is not None, _START)
            for _ in range(self._size):
                self.add_worker()
            self.wait()
        except BaseException:
            self._cleanup.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()

    def add_worker(self) -> None:
        """Starts another one; it offers its slot some seconds later."""
        self._workers.append(self.start_worker(len(self._workers) + 1))

    def kill_worker(self, number: int = 0) -> None:
        """Kills one and what it started (SIGKILL), like the loss of a machine."""
        os.killpg(self._workers[number].pid, signal.SIGKILL)

    def wait(self) -> None:
        """Waits for the slots of all living workers."""
        alive = [worker for worker in self._workers if worker.is_alive]
        for worker in alive:
            worker.wait_until(lambda: (self.slots() or 0) >= len(alive), _START)

    @abc.abstractmethod
    def settings(self) -> dict[str, Any]:
        """The section `beam` of a project that runs on it."""

    @abc.abstractmethod
    def slots(self) -> int | None:
        """Slots that workers offer; None while there is no leader."""

    @abc.abstractmethod
    def busy(self, node: str) -> str | None:
        """The running job of a node (in lower case), described; None if there is none."""

    @abc.abstractmethod
    def start_leader(self) -> processes.Service:
        """Starts the leader and sets `page`."""

    @abc.abstractmethod
    def start_worker(self, number: int) -> processes.Service:
        """Starts a worker."""

    def start_java(
        self,
        name: str,
        main: str,
        megabytes: int,
        *arguments: str,
        direct: int | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> processes.Service:
        """Starts a Java program that ends with this context."""
        command = java.command(self.place, main, megabytes, *arguments, direct=direct)
        log = self.folder / f'{name.lower().replace(" ", "_")}.log'
        title = f"{self.JARS.title}'s {name}"
        service = processes.Service(title, command, log, variables)
        self._cleanup.callback(service.stop)
        return service
