"""A Flink cluster on the loopback interface: a JobManager, and TaskManagers with a slot each."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
from typing import Self

from components.errors import ConfigError
from pipeline.engines import java, processes, ready

_JOB_MANAGER = 'org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint'
_TASK_MANAGER = 'org.apache.flink.runtime.taskexecutor.TaskManagerRunner'
_DIRECT = 1024 + 128 + 256  # megabytes off the heap: of tasks, the framework and the network
_START = 180.0  # seconds that Java and Flink may take on a busy machine

# A TaskManager passes bytes on and works on none: it needs few objects. But Beam sends a hundred
# messages of 1 MB, or of one larger image, to each stage's worker before it looks whether that one
# keeps up (`DirectStreamObserver`), and they wait off the heap: with 64 MB for them the 2,624 solar
# cells ended as "call is closed", with an OutOfMemoryError in the TaskManager's log. Its sizes are
# given one by one, which is what Flink's own start script would work out. A job whose TaskManager
# is lost is tried again three times, from the last exchange whose data are still there. This
# strategy takes failures within its delay as one; fixed-delay would count each of the lost tasks,
# of which our jobs have a dozen.
_CONFIGURATION = """\
jobmanager.rpc.address: 127.0.0.1
jobmanager.rpc.port: {rpc}
jobmanager.bind-host: 127.0.0.1
jobmanager.memory.process.size: 1g
rest.address: 127.0.0.1
rest.bind-address: 127.0.0.1
rest.port: {rest}
taskmanager.host: 127.0.0.1
taskmanager.bind-host: 127.0.0.1
taskmanager.numberOfTaskSlots: 1
taskmanager.cpu.cores: 1.0
taskmanager.memory.task.heap.size: 256m
taskmanager.memory.task.off-heap.size: 1g
taskmanager.memory.framework.heap.size: 128m
taskmanager.memory.framework.off-heap.size: 128m
taskmanager.memory.managed.size: 256m
taskmanager.memory.network.min: 256m
taskmanager.memory.network.max: 256m
taskmanager.network.sort-shuffle.min-buffers: 128
taskmanager.memory.jvm-metaspace.size: 192m
taskmanager.memory.jvm-overhead.min: 64m
taskmanager.memory.jvm-overhead.max: 64m
io.tmp.dirs: {folder}/tmp
classloader.resolve-order: parent-first
restart-strategy.type: exponential-delay
restart-strategy.exponential-delay.initial-backoff: 5s
restart-strategy.exponential-delay.max-backoff: 10s
restart-strategy.exponential-delay.attempts-before-reset-backoff: 3
"""


class Cluster:
    """A context that ends the cluster.

    Attributes:
        master: host:port of its REST interface, which is its web page too.
    """

    def __init__(self, jars: pathlib.Path, folder: pathlib.Path, task_managers: int = 2) -> None:
        """Starts nothing yet.

        Args:
            jars: of `jars.fetched`.
            folder: for its configuration, logs and temporary files.
            task_managers: how many; each has one slot.
        """
        self._jars, self._folder, self._wanted = jars, folder, task_managers
        self._all = contextlib.ExitStack()
        self._workers: list[processes.Service] = []
        self.master = ''

    def __enter__(self) -> Self:
        rest, rpc = processes.free_port(), processes.free_port()
        self.master = f'127.0.0.1:{rest}'
        (self._folder / 'tmp').mkdir(parents=True, exist_ok=True)
        text = _CONFIGURATION.format(rest=rest, rpc=rpc, folder=self._folder)
        (self._folder / 'config.yaml').write_text(text, 'utf-8')
        try:
            manager = self._start("Flink's JobManager", 'job_manager', _JOB_MANAGER, 512)
            manager.wait_until(lambda: self._slots() is not None, _START)
            for _ in range(self._wanted):
                self.add_task_manager()
            self.wait()
        except BaseException:
            self._all.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._all.close()

    def add_task_manager(self) -> None:
        """Starts one more; it offers its slot some seconds later."""
        number = len(self._workers) + 1
        name, log = f"Flink's TaskManager {number}", f'task_manager_{number}'
        self._workers.append(self._start(name, log, _TASK_MANAGER, 384, _DIRECT))

    def kill_task_manager(self, number: int = 0) -> None:
        """Kills one (SIGKILL), as a machine that is lost."""
        os.killpg(self._workers[number].pid, signal.SIGKILL)

    def wait(self) -> None:
        """Until the slots of all TaskManagers that live are there.

        Raises:
            ConfigError: one ended, or took too long.
        """
        alive = [one for one in self._workers if one.is_alive]
        for one in alive:
            one.wait_until(lambda: (self._slots() or 0) >= len(alive), _START)

    def _slots(self) -> int | None:
        try:
            return int(ready.flink_rest(self.master, '/overview')['slots-total'])
        except ConfigError:
            return None

    def _start(
        self, name: str, log: str, main: str, megabytes: int, direct: int | None = None
    ) -> processes.Service:
        arguments = '--configDir', str(self._folder)
        command = java.command(self._jars, main, megabytes, *arguments, direct=direct)
        service = processes.Service(name, command, self._folder / f'{log}.log')
        self._all.callback(service.stop)
        return service
