"""How an execution ended, or whether it goes on, from its record alone."""

from __future__ import annotations

from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.pipeline.system.process_identity import ProcessIdentity

STATES = {
    pb.Execution.COMPLETE: 'complete',
    pb.Execution.CACHED: 'cached',
    pb.Execution.FAILED: 'failed',
    pb.Execution.CANCELED: 'canceled',
    pb.Execution.RUNNING: 'running',
    pb.Execution.NEW: 'running',
}
SUCCESS_STATES = ('complete', 'cached')
RUNNING = 'running'
KILLED = 'killed'
UNFINISHED = 'unfinished'  # its process is on another machine, or was not recorded
_NOT_RUN = 'not run'
# Custom properties of executions; `pipeline.metadata.annotations` writes them.
LACKED_INPUTS = 'lacked_inputs'
SUPERSEDED = 'superseded'
DEFINITION = 'definition'
REUSED = 'reused'  # the run whose result a partial run took over
PROCESS = 'process'  # that runs it
WAS_KILLED = 'was_killed'  # noticed by a later process


def is_superseded(execution: pb.Execution) -> bool:
    """Whether the node ran again in the same run, or is about to."""
    return SUPERSEDED in execution.custom_properties


def is_unfinished(execution: pb.Execution) -> bool:
    """Whether its process has not said yet how it ended."""
    return STATES.get(execution.last_known_state) == RUNNING


def process(execution: pb.Execution) -> ProcessIdentity | None:
    """The process that runs it or ran it; None where that was not recorded."""
    value = execution.custom_properties.get(PROCESS)
    return None if value is None else ProcessIdentity.read(value.string_value)


def state(execution: pb.Execution) -> str:
    """A value of `STATES`, or how it ended without a word of its process."""
    if LACKED_INPUTS in execution.custom_properties:
        return _NOT_RUN
    if is_superseded(execution):  # and killed before the next one began
        return 'failed'
    if WAS_KILLED in execution.custom_properties:
        return KILLED
    if is_unfinished(execution):
        owner = process(execution)
        is_dead = None if owner is None else owner.is_dead
        return UNFINISHED if is_dead is None else KILLED if is_dead else RUNNING
    return STATES.get(execution.last_known_state, 'unknown')
