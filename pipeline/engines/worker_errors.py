"""User errors of workers, recovered from the text in which they arrive.

Beam passes exceptions of other processes on as text inside a RuntimeError: a user error would look
like a crash. One raised in this process keeps its type and gets a remark by Beam.
"""

from __future__ import annotations

import re

from thawline.components.shared import errors
from thawline.components.shared.errors import ConfigError, UserError

_KINDS = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type)}
# `....errors.DataError: it is damaged [while running 'Read']`, at the end of a traceback.
_RAISED = re.compile(
    rf"{re.escape(errors.__name__)}\.(\w+): (.+?)(?= \[while running '|\s*$)", re.MULTILINE
)
# How a job on Flink ends where a TaskManager had no memory for what it sends to its workers.
_CLOSED = re.compile(r'IllegalStateException: call (is|already) closed')
# How a job ends that Spark aborted.
_ABORTED = re.compile(r'stopped SparkContext|SparkContext (has been|was) shut ?down')
_REMARK = re.compile(r" \[while running '[^']*'\]")


def user_error(error: BaseException) -> UserError | None:
    """The user error that a worker raised, if it was one."""
    if isinstance(error, UserError):
        message = _REMARK.sub('', str(error))
        return type(error)(message) if message != str(error) else None
    raised = _RAISED.findall(str(error))
    if not raised:
        return _cluster_error(str(error))
    name, message = raised[-1]
    kind = _KINDS.get(name)
    return kind(message.replace('\\n', '\n')) if kind and issubclass(kind, UserError) else None


def _cluster_error(text: str) -> UserError | None:
    if _CLOSED.search(text):
        return ConfigError(
            'Flink closed the connection to a worker ("call is closed"); if the log of a '
            'TaskManager has "OutOfMemoryError: Direct buffer memory", give it '
            'taskmanager.memory.task.off-heap.size: 1g'
        )
    if _ABORTED.search(text):
        return ConfigError(
            'Spark aborted the job ("stopped SparkContext"); the logs of its Workers say why their '
            "executors ended, and the job server's log in logs/engine of the output says more"
        )
    return None
