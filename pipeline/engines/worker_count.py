"""How many workers a node is worth. Pure.

A worker pays when the work that it takes over is longer than what it costs to have it: starting it,
and Beam's own way over gRPC instead of function calls. The work is estimated from the bytes that a
node reads and a rate measured for it; a rate that is wrong by half moves the bounds by half and no
result.
"""

from __future__ import annotations

from thawline.components.shared.errors import ConfigError

# Megabytes that one core gets through in a second: photographs of 34 kB and a small base at 224
# pixels (benchmarks/rates.md). What predicts decodes and runs the base in one.
MB_PER_SECOND = {
    'ImageExampleGen': 4.0,
    'StatisticsGen': 40.0,
    'Transform': 7.0,
    'Embedder': 6.0,
    'Evaluator': 30.0,
    'UnlabelledExampleGen': 4.0,
    'BulkInferrer': 1.5,
    'Predict': 1.5,
}
_OTHER = 20.0
# Seconds of work that one worker must have, by engine: twice what a run on it costs more than one
# in this process.
_WORTH_WHILE = {
    'multiprocess': 60.0,  # each job's processes import TensorFlow and TFX anew
    'portable': 20.0,  # a pool that stays
    'flink': 60.0,
    'spark': 60.0,
    'dataflow': 600.0,  # machines have to be had first
}
# TensorFlow uses all cores of a machine from one process, so that more processes on it only add
# memory: the base, or the model, once each.
_THREADED = ('Embedder', 'Evaluator', 'BulkInferrer', 'Predict')


def seconds(node: str, megabytes: float) -> float:
    """Seconds that one core works on what a node reads."""
    return megabytes / MB_PER_SECOND.get(node, _OTHER)


def workers(engine: str, node: str, megabytes: float, most: int) -> int:
    """Workers for a node; 0 where it is to run in this process.

    Args:
        engine: of `params.Engine`.
        node: id of the node.
        megabytes: that it reads, 10^6 bytes.
        most: upper bound, at least 1.
    """
    if engine == 'local' or (engine in ('multiprocess', 'portable') and node in _THREADED):
        return 0
    wanted = int(seconds(node, megabytes) / _WORTH_WHILE[engine])
    # On this machine one worker does nothing that this process could not do without it.
    least = 1 if engine in ('flink', 'spark', 'dataflow') else 2
    return min(wanted, most) if wanted >= least and most >= least else 0


def within(workers: int, slots: int | None, *, is_given: bool) -> int:
    """Workers that a cluster has slots for.

    Flink would wait five minutes for a slot that is not there, and then fail the job.

    Args:
        workers: that are wanted.
        slots: of the cluster; None where nobody knows.
        is_given: whether a person asked for this number.

    Raises:
        ConfigError: a person asked for more than there are.
    """
    if slots is None or workers <= slots:
        return workers
    if is_given:
        raise ConfigError(
            f'beam.workers: the Flink cluster has {slots} slot{"" if slots == 1 else "s"}; ask for '
            f'no more, or add TaskManagers. Received: {workers}'
        )
    return slots
