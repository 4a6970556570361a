"""A test that is skipped for an unknown reason fails the run that asks for it."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

from thawline import ROOT

SKIPPING = """
import pytest

def test_one(): pytest.skip('root may write anywhere')
def test_two(): pytest.skip({reason!r})
def test_three(): pass
"""


@pytest.mark.parametrize(('reason', 'code'), [('hadolint is not installed', 0), ('too tired', 1)])
@pytest.mark.parametrize('workers', ['0', '2'])
def test_unknown_reasons_fail(tmp_path: pathlib.Path, reason: str, code: int, workers: str) -> None:
    (tmp_path / 'test_it.py').write_text(SKIPPING.format(reason=reason))
    (tmp_path / 'conftest.py').write_text('from tests.conftest import pytest_sessionfinish')
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-q', '-n', workers, str(tmp_path)],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
        env={
            **os.environ, 'PYTHONPATH': str(ROOT), 'THAWLINE_SKIPS': str(ROOT / '.ci' / 'skips')
        },
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    assert ('not in' in done.stdout and reason in done.stdout) is bool(code)
