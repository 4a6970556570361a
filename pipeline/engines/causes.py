"""What went wrong on a worker, out of the text in which it arrives.

Beam hands exceptions of other processes on as text inside a RuntimeError: an error that a person
can mend would look like a crash. One of this process keeps its type and gets a remark of Beam's
own.
"""

from __future__ import annotations

import re

from components import errors
from components.errors import UserError

_KINDS = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type)}
# `components.errors.DataError: it is damaged [while running 'Read']`, at the end of a traceback.
_RAISED = re.compile(r"components\.errors\.(\w+): (.+?)(?= \[while running '|\s*$)", re.MULTILINE)
_REMARK = re.compile(r" \[while running '[^']*'\]")


def user_error(error: BaseException) -> UserError | None:
    """The error of a person that a worker raised, if that is what it was."""
    if isinstance(error, UserError):
        plain = _REMARK.sub('', str(error))
        return type(error)(plain) if plain != str(error) else None
    found = _RAISED.findall(str(error))
    if not found:
        return None
    name, message = found[-1]
    kind = _KINDS.get(name)
    return kind(message.replace('\\n', '\n')) if kind and issubclass(kind, UserError) else None
