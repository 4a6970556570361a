"""What a failed run leaves for people."""

from __future__ import annotations

import pathlib

from thawline.components.shared.errors import ConfigError, DataError
from thawline.pipeline.runners.failures import NodeFailed, save_unusable


def test_the_files_that_stopped_a_run_are_listed_beside_its_log(tmp_path: pathlib.Path) -> None:
    log = tmp_path / 'logs' / '20261130.log'
    error = NodeFailed('ImageExampleGen', 'x')
    error.__cause__ = DataError('No readable image.', 'path,reason,detail\na.jpg,truncated,\n')
    path = save_unusable(error, log)
    assert path == tmp_path / 'logs' / '20261130.unusable.csv'
    assert path.read_text('utf-8').endswith('a.jpg,truncated,\n')
    assert save_unusable(DataError('x'), log) is None
    assert save_unusable(ConfigError('x'), log) is None
