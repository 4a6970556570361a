"""A standalone Spark cluster on the loopback interface: a Master, and Workers with a core each."""

from __future__ import annotations

from typing import Any

from thawline.components.shared.errors import Unavailable
from thawline.pipeline.engines import health_checks, processes
from thawline.pipeline.system import ports
from thawline.pipeline.tools.cluster_demo import cluster, jars

_MASTER = 'org.apache.spark.deploy.master.Master'
_WORKER = 'org.apache.spark.deploy.worker.Worker'
# Each job leaves a copy of all jars, 300 MB, with each Worker: until the Worker ends, without this.
_PROPERTIES = """\
spark.worker.cleanup.enabled true
spark.worker.cleanup.interval 10
spark.worker.cleanup.appDataTtl 1
"""
_SETTLED = 5_000  # milliseconds after which a job has executors and works


class SparkCluster(cluster.Cluster):
    JARS = jars.SPARK
    LEADER, WORKER = 'Master', 'Worker'
    # The name of this machine may be that of another interface.
    VARIABLES = {'SPARK_LOCAL_IP': '127.0.0.1'}

    def settings(self) -> dict[str, Any]:
        spark = {'master': f'spark://{self._master}', 'job_server': str(self.place)}
        return {'engine': 'spark', 'workers': self._size, 'spark': spark}

    def slots(self) -> int | None:
        try:
            return int(self._state()['aliveworkers'])
        except Unavailable:
            return None

    def busy(self, node: str) -> str | None:
        state = self._state()
        for job in state['activeapps']:
            is_working = state['coresused'] and job['duration'] >= _SETTLED
            if node in job['name'] and job['state'] == 'RUNNING' and is_working:
                return f'{job["name"]} ({state["coresused"]} cores worked)'
        return None

    def _state(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = health_checks.fetch_json(f'{self.page}/json/')
        except (OSError, ValueError) as error:
            raise Unavailable(f"Spark's Master does not answer at {self.page}: {error}") from error
        return state

    def start_leader(self) -> processes.Service:
        port, page = ports.free_port(), ports.free_port()
        self._master, self.page = f'127.0.0.1:{port}', f'http://127.0.0.1:{page}'
        # Workers find the jars of executors by these two files and one variable.
        self._home = self.folder / 'home'
        self._home.mkdir()
        (self._home / 'RELEASE').touch()
        (self._home / 'jars').symlink_to(self.place)
        self._properties = self._home / 'worker.properties'
        self._properties.write_text(_PROPERTIES, 'utf-8')
        arguments = '--host', '127.0.0.1', '--port', str(port), '--webui-port', str(page)
        return self.start_java(self.LEADER, _MASTER, 384, *arguments, variables=self.VARIABLES)

    def start_worker(self, number: int) -> processes.Service:
        arguments = (
            '--host', '127.0.0.1', '--cores', '1', '--memory', '1g', '--webui-port', '0',
            '--work-dir', str(self.folder / f'work_{number}'),
            '--properties-file', str(self._properties), f'spark://{self._master}',
        )  # fmt: skip
        home = {'SPARK_HOME': str(self._home), 'SPARK_SCALA_VERSION': '2.12'}
        return self.start_java(
            f'{self.WORKER} {number}', _WORKER, 256, *arguments, variables=self.VARIABLES | home
        )
