"""`make flink-demo`, `make spark-demo`: a pipeline on a real cluster on this machine.

Starts the cluster with two workers, runs the chain locally and on the cluster, each from scratch,
predicts with the resulting model both ways, and compares all outputs.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time
from typing import Any, Self

import click
import yaml

from thawline.components.shared import node_names
from thawline.components.shared.durations import duration
from thawline.components.shared.errors import ConfigError, Unavailable, UserError
from thawline.pipeline.config import loading
from thawline.pipeline.config.loading import PROJECT_FILE
from thawline.pipeline.config.project import Project
from thawline.pipeline.engines import processes
from thawline.pipeline.system import signals
from thawline.pipeline.tools.cluster_demo import flink, spark
from thawline.pipeline.tools.cluster_demo.cluster import Cluster

_CLUSTERS: dict[str, type[Cluster]] = {
    'flink': flink.FlinkCluster,
    'spark': spark.SparkCluster,
}
_POLL = 0.5  # seconds


@click.command()
@click.argument('engine', type=click.Choice(list(_CLUSTERS)))
@click.argument('config', required=False, type=click.Path(path_type=pathlib.Path))
@click.option(
    '--folder', type=click.Path(path_type=pathlib.Path),
    help='For runs and logs, emptied first; default: runs/ENGINE_demo.',
)  # fmt: skip
@click.option('--kill', metavar='NODE', help='Kill a worker of the cluster while this node runs.')
@click.option('--stay', is_flag=True, help='Keep the cluster and its page until Ctrl-C.')
def main(
    engine: str,
    config: pathlib.Path | None,
    folder: pathlib.Path | None,
    kill: str | None,
    stay: bool,
) -> None:
    """Runs a project (default: the preset solar_cells, its head only) locally and on a cluster."""
    folder = (folder or pathlib.Path('runs') / f'{engine}_demo').absolute()
    try:
        with signals.interruptible():
            is_same = demonstrate(
                engine, loading.load_project(config, demo=True), folder, kill, stay
            )
    except UserError as error:
        click.echo(f'error: {error}', err=True)
        sys.exit(2)
    except signals.Interrupted:
        click.echo('stopped')
        sys.exit(130)
    sys.exit(0 if is_same else 1)


def demonstrate(
    engine: str,
    project: Project,
    folder: pathlib.Path,
    kill: str | None,
    stay: bool,
) -> bool:
    """Runs the demo; returns whether the results are the same."""
    for name in ('local', engine, 'cluster'):
        shutil.rmtree(folder / name, ignore_errors=True)
    cluster = _CLUSTERS[engine](folder / 'cluster')
    jars = cluster.JARS
    click.echo(f'{jars.title} {jars.version} with the runner of Beam {jars.beam}: {cluster.place}')
    with cluster:
        click.echo(f'{cluster.LEADER} and {cluster.slots()} {cluster.WORKER}s: {cluster.page}')
        os.environ |= cluster.VARIABLES
        homes = {
            name: _write(project, folder / name, beam)
            for name, beam in (('local', {}), (engine, cluster.settings()))
        }
        seconds = {'local': _thawline('run', str(homes['local']))}
        with _Killer(cluster, kill) as killer:
            try:
                seconds[engine] = _thawline('run', str(homes[engine]))
            except ConfigError:
                if not killer.has_killed:
                    raise
                click.echo(f'the job was lost with its {cluster.WORKER}; running it again:')
                seconds[engine] = _thawline('run', str(homes[engine]))
            tables = _predict(homes)  # while the killer's own worker lives
        differences = _differences(homes, tables)
        for name, elapsed in seconds.items():
            click.echo(f'{name:<6} {duration(elapsed)}')
        click.echo(
            '\n'.join(['NOT the same:', *differences]) if differences else 'the same results'
        )
        if stay:
            click.echo(f'{cluster.page} until Ctrl-C')
            threading.Event().wait()
    return not differences


def _write(project: Project, home: pathlib.Path, beam: dict[str, Any]) -> pathlib.Path:
    """Writes a copy of the project with another engine, which trains the head alone."""
    content = project.config.model_dump(mode='json', exclude_unset=True)
    content['data']['source'] = project.source_spec().source
    training = {**content.get('training', {}), 'mode': 'probe'}
    content |= {'beam': beam, 'output': 'run', 'training': training}
    home.mkdir(parents=True)
    (home / PROJECT_FILE).write_text(yaml.safe_dump(content), 'utf-8')
    return home


def _thawline(*arguments: str) -> float:
    """Runs the command; returns its seconds. Exit code 3 (not blessed) counts as success."""
    began = time.monotonic()
    command = [sys.executable, '-m', 'thawline', *arguments]
    ended = subprocess.run(command, env=processes.environment(), check=False)
    if ended.returncode not in (0, 3):
        raise ConfigError(f'thawline {" ".join(arguments)} ended with code {ended.returncode}')
    return time.monotonic() - began


def _predict(homes: dict[str, pathlib.Path]) -> list[pathlib.Path]:
    """Predicts the test images with the model of the local run, on both engines."""
    from thawline.pipeline.tools.cluster_demo import compare_outputs

    output = homes['local'] / 'run'
    images = compare_outputs.newest(output, node_names.IMAGE_EXAMPLE_GEN, 'examples') / 'Split-test'
    exported = compare_outputs.newest(output, node_names.EXPORTER, 'exported_model')
    model = next(exported.rglob('saved_model.pb')).parent
    tables = []
    for name, home in homes.items():
        table = home / 'predictions.jsonl'
        _thawline(
            'predict', *sorted(map(str, images.iterdir())), '--model', str(model),
            '--config', str(home), '--to', str(table), '--engine', name,
        )  # fmt: skip
        tables.append(table)
    return tables


def _differences(homes: dict[str, pathlib.Path], tables: list[pathlib.Path]) -> list[str]:
    from thawline.pipeline.tools.cluster_demo import compare_outputs

    one, other = (home / 'run' for home in homes.values())
    differences = compare_outputs.differences(one, other)
    ours, theirs = (
        [json.loads(line) for line in table.read_text('utf-8').splitlines()] for table in tables
    )
    answers = [[(row['path'], row['label']) for row in rows] for rows in (ours, theirs)]
    if answers[0] != answers[1]:
        differences.append(
            f'batch prediction: {len(ours)} and {len(theirs)} rows, not the same answers'
        )
    return differences


class _Killer:
    """Kills a worker while a node's job runs, and starts another, as a supervisor would."""

    def __init__(self, cluster: Cluster, node: str | None) -> None:
        self._cluster, self._node = cluster, node
        self._over = threading.Event()
        self.has_killed = False

    def __enter__(self) -> Self:
        if self._node is not None:
            # A thread that outlives the new worker: see `parent_death`.
            self._thread = threading.Thread(target=self._wait, args=(self._node.lower(),))
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def _wait(self, node: str) -> None:
        while not self._over.wait(_POLL):
            try:
                job = self._cluster.busy(node)
            except Unavailable:
                continue  # it has much to do
            if job is not None:
                click.echo(f'  killed a {self._cluster.WORKER} during {job}')
                self.has_killed = True
                self._cluster.kill_worker()
                self._cluster.add_worker()
                self._over.wait()  # the worker dies with this thread
                return


if __name__ == '__main__':
    os.environ.setdefault('GLOG_minloglevel', '2')
    main()
