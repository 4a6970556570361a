"""How many workers a node gets. Pure.

A worker pays off when its share of the work takes longer than its overhead: its start, and Beam's
calls over gRPC. The work is estimated from the bytes that a node reads and its measured rate; a
rate that is off by half moves the limits by half and changes no result.
"""

from __future__ import annotations

from thawline.components.shared import node_names
from thawline.components.shared.errors import ConfigError

# Throughput of one core: photographs of 34 kB and a small base at 224 pixels (benchmarks/rates.md).
# Prediction decodes images and runs the base.
MB_PER_SECOND = {
    node_names.IMAGE_EXAMPLE_GEN: 4.0,
    node_names.STATISTICS_GEN: 40.0,
    node_names.TRANSFORM: 7.0,
    node_names.EMBEDDER: 6.0,
    node_names.EVALUATOR: 30.0,
    node_names.UNLABELLED_EXAMPLE_GEN: 4.0,
    node_names.BULK_INFERRER: 1.5,
    'Predict': 1.5,
}
_OTHER_MB_PER_SECOND = 20.0
# Seconds of work that justify one worker, by engine: twice the overhead of a run on it over one in
# this process.
_SECONDS_A_WORKER = {
    'multiprocess': 60.0,  # each job's processes import TensorFlow and TFX anew
    'portable': 20.0,  # the pool stays
    'flink': 60.0,
    'spark': 60.0,
    'dataflow': 600.0,  # machines start first
}
# TensorFlow uses all cores from one process: more processes on a machine only add memory, the base
# or the model once each.
_MULTITHREADED = (node_names.EMBEDDER, node_names.EVALUATOR, node_names.BULK_INFERRER, 'Predict')


def seconds(node: str, megabytes: float) -> float:
    """Seconds of work for one core."""
    return megabytes / MB_PER_SECOND.get(node, _OTHER_MB_PER_SECOND)


def workers(engine: str, node: str, megabytes: float, most: int) -> int:
    """Workers for a node that reads so many megabytes (10^6 bytes); 0: it runs in this process."""
    if engine == 'local' or (engine in ('multiprocess', 'portable') and node in _MULTITHREADED):
        return 0
    number = int(seconds(node, megabytes) / _SECONDS_A_WORKER[engine])
    # On this machine a single worker has nothing over this process.
    least = 1 if engine in ('flink', 'spark', 'dataflow') else 2
    return min(number, most) if min(number, most) >= least else 0


def limit_to_slots(workers: int, slots: int | None, *, is_explicit: bool) -> int:
    """Workers that a cluster has slots for; an error where the user asked for more.

    Flink would wait five minutes for a missing slot, and then fail the job.
    """
    if slots is None or workers <= slots:
        return workers
    if is_explicit:
        raise ConfigError(
            f'beam.workers: the Flink cluster has {slots} slot{"" if slots == 1 else "s"}; ask for '
            f'no more, or add TaskManagers. Received: {workers}'
        )
    return slots
