"""Exit codes: one for each class of error, wherever in the chain of causes it stands."""

from __future__ import annotations

import errno
import os

import pytest

from thawline.components.shared import errors
from thawline.components.shared.errors import (
    Busy,
    ConfigError,
    DataError,
    NotFound,
    Unavailable,
    UserError,
)
from thawline.pipeline.runners.failures import AlreadyRunning, InputsMissing, NodeFailed
from thawline.pipeline.terminal import exit_codes


@pytest.mark.parametrize(
    ('error', 'code'),
    [
        (ConfigError('x'), 2),
        (NotFound('x'), 2),
        (DataError('x'), 4),
        (Busy('x'), 6),
        (AlreadyRunning('Trainer', 'x'), 6),
        (Unavailable('x'), 7),
        (ValueError('x'), 1),
        (InputsMissing('Trainer', 'x'), 1),
    ],
)
def test_each_class_has_its_code_also_as_a_cause(error: Exception, code: int) -> None:
    assert exit_codes.of_error(error) == code
    node = NodeFailed('Trainer', str(error))
    node.__cause__ = error
    assert exit_codes.of_error(node) == code


@pytest.mark.parametrize(
    ('number', 'kind'),
    [
        (errno.EIO, Unavailable),
        (errno.ESTALE, Unavailable),
        (errno.ENOSPC, Unavailable),
        (errno.EACCES, DataError),
        (errno.ENOTDIR, DataError),
    ],
)
def test_a_disk_that_may_be_back_is_told_from_a_wrong_path(
    number: int, kind: type[UserError]
) -> None:
    error = errors.from_os_error(
        OSError(number, os.strerror(number)), 'x cannot be read', DataError
    )
    assert type(error) is kind
    assert str(error) == f'x cannot be read: {os.strerror(number)}'
