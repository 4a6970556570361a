"""What went wrong on a worker, out of the text in which it arrives.

Beam hands exceptions of other processes on as text inside a RuntimeError: an error that a person
can mend would look like a crash. One of this process keeps its type and gets a remark of Beam's
own.
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
# What a job on Flink ends with where a TaskManager had no room for what its workers are sent.
_CLOSED = re.compile(r'IllegalStateException: call (is|already) closed')
# What one on Spark ends with where the cluster gave the job up.
_REMOVED = re.compile(r'stopped SparkContext|SparkContext (has been|was) shut ?down')
_REMARK = re.compile(r" \[while running '[^']*'\]")


def user_error(error: BaseException) -> UserError | None:
    """The error of a person that a worker raised, if that is what it was."""
    if isinstance(error, UserError):
        plain = _REMARK.sub('', str(error))
        return type(error)(plain) if plain != str(error) else None
    found = _RAISED.findall(str(error))
    if not found:
        return _of_cluster(str(error))
    name, message = found[-1]
    kind = _KINDS.get(name)
    return kind(message.replace('\\n', '\n')) if kind and issubclass(kind, UserError) else None


def _of_cluster(text: str) -> UserError | None:
    if _CLOSED.search(text):
        return ConfigError(
            'Flink closed the connection to a worker ("call is closed"); if the log of a '
            'TaskManager has "OutOfMemoryError: Direct buffer memory", give it '
            'taskmanager.memory.task.off-heap.size: 1g'
        )
    if _REMOVED.search(text):
        return ConfigError(
            'Spark gave the job up ("stopped SparkContext"); the logs of its Workers say why their '
            "executors ended, and the job server's, in logs/engine of the output, what it was told"
        )
    return None
