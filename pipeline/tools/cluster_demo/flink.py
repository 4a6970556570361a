"""A Flink cluster on the loopback interface: a JobManager, and TaskManagers with a slot each."""

from __future__ import annotations

from typing import Any

from thawline.components.shared.errors import Unavailable
from thawline.pipeline.engines import health_checks, processes
from thawline.pipeline.system import ports
from thawline.pipeline.tools.cluster_demo import cluster, jars

_JOB_MANAGER = 'org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint'
_TASK_MANAGER = 'org.apache.flink.runtime.taskexecutor.TaskManagerRunner'
# Megabytes off the heap of a TaskManager: of tasks, of the framework, of the network.
_OFF_HEAP = {'tasks': 1024, 'framework': 128, 'network': 256}

# A TaskManager only passes bytes on and needs a small heap. But Beam sends a hundred messages, of
# 1 MB or one larger image each, to each stage's worker before it checks whether that keeps up
# (`DirectStreamObserver`), and they wait off the heap: with 64 MB for them the 2,624 solar cells
# ended as "call is closed", with an OutOfMemoryError in the TaskManager's log. All sizes are given,
# as Flink's own start script would compute them. A job whose TaskManager is lost is retried three
# times, from the last exchange whose data survive. This strategy counts failures within its delay
# as one; fixed-delay would count each of the dozen lost tasks of a job.
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
taskmanager.memory.task.off-heap.size: {tasks}m
taskmanager.memory.framework.heap.size: 128m
taskmanager.memory.framework.off-heap.size: {framework}m
taskmanager.memory.managed.size: 256m
taskmanager.memory.network.min: {network}m
taskmanager.memory.network.max: {network}m
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


class FlinkCluster(cluster.Cluster):
    JARS = jars.FLINK
    LEADER, WORKER = 'JobManager', 'TaskManager'

    def settings(self) -> dict[str, Any]:
        flink = {'master': self._master, 'job_server': str(self.place)}
        return {'engine': 'flink', 'workers': self._size, 'flink': flink}

    def slots(self) -> int | None:
        try:
            return int(health_checks.ask_flink(self._master, '/overview')['slots-total'])
        except Unavailable:
            return None

    def busy(self, node: str) -> str | None:
        for job in health_checks.ask_flink(self._master, '/jobs/overview')['jobs']:
            running = job['state'] == 'RUNNING' and job['tasks'].get('running', 0)
            if node in job['name'] and running:
                return f'{job["name"]} ({running} tasks ran)'
        return None

    def start_leader(self) -> processes.Service:
        rest, rpc = ports.free_port(), ports.free_port()
        self._master = f'127.0.0.1:{rest}'
        self.page = f'http://{self._master}'
        (self.folder / 'tmp').mkdir(exist_ok=True)
        text = _CONFIGURATION.format(rest=rest, rpc=rpc, folder=self.folder, **_OFF_HEAP)
        (self.folder / 'config.yaml').write_text(text, 'utf-8')
        return self.start_java(self.LEADER, _JOB_MANAGER, 512, '--configDir', str(self.folder))

    def start_worker(self, number: int) -> processes.Service:
        configured = '--configDir', str(self.folder)
        return self.start_java(
            f'{self.WORKER} {number}',
            _TASK_MANAGER,
            384,
            *configured,
            direct=sum(_OFF_HEAP.values()),
        )
