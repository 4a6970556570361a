"""Clusters on the loopback interface, for demos: what those of Flink and Spark have in common."""

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

_START = 180.0  # seconds that Java and a cluster may take on a busy machine


class Cluster(abc.ABC):
    """A context that ends the cluster: one process that leads, and workers with a slot each.

    Attributes:
        JARS: its programs.
        LEADER, WORKER: what they are called.
        VARIABLES: that runs on it need beside those of this process.
        place: folder of the jars.
        folder: for its configuration, logs and temporary files.
        page: address of its web page.
    """

    JARS: Jars
    LEADER: str
    WORKER: str
    VARIABLES: Mapping[str, str] = {}

    def __init__(self, folder: pathlib.Path, workers: int = 2) -> None:
        """Gets the jars and starts nothing yet.

        Raises:
            ConfigError: the jars cannot be had.
        """
        self.place = self.JARS.fetched()
        self.folder, self._wanted = folder, workers
        self._all = contextlib.ExitStack()
        self._workers: list[processes.Service] = []
        self.page = ''

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self.lead().wait_until(lambda: self.slots() is not None, _START)
            for _ in range(self._wanted):
                self.add_worker()
            self.wait()
        except BaseException:
            self._all.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._all.close()

    def add_worker(self) -> None:
        """Starts one more; it offers its slot some seconds later."""
        self._workers.append(self.work(len(self._workers) + 1))

    def kill_worker(self, number: int = 0) -> None:
        """Kills one and what it started (SIGKILL), as a machine that is lost."""
        os.killpg(self._workers[number].pid, signal.SIGKILL)

    def wait(self) -> None:
        """Until the slots of all workers that live are there.

        Raises:
            ConfigError: one ended, or took too long.
        """
        alive = [one for one in self._workers if one.is_alive]
        for one in alive:
            one.wait_until(lambda: (self.slots() or 0) >= len(alive), _START)

    @abc.abstractmethod
    def settings(self) -> dict[str, Any]:
        """The section `beam` of a project that runs on it."""

    @abc.abstractmethod
    def slots(self) -> int | None:
        """How many workers offer theirs; None while nobody leads."""

    @abc.abstractmethod
    def busy(self, node: str) -> str | None:
        """Name of the job of a node that is at work now, if one is; `node` in lower case.

        Raises:
            ConfigError: the cluster does not answer.
        """

    @abc.abstractmethod
    def lead(self) -> processes.Service:
        """Starts the process that leads, and sets `page`."""

    @abc.abstractmethod
    def work(self, number: int) -> processes.Service:
        """Starts a worker."""

    def start(
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
        self._all.callback(service.stop)
        return service
