from __future__ import annotations

import os
import subprocess
import sys

import pytest

from thawline import ROOT
from thawline.pipeline.system import log_redirect


def test_everything_that_is_printed_below_goes_to_the_log(tmp_path):
    code = (
        'import os, sys, logging, pathlib\n'
        'from thawline.pipeline.system import log_redirect\n'
        f'log = pathlib.Path({str(tmp_path / "run.log")!r})\n'
        'with log_redirect.redirect_output(log) as terminal:\n'
        '    print("printed"); os.write(2, b"from C\\n"); logging.info("logged")\n'
        '    terminal.write("for the person\\n"); terminal.flush()\n'
        'print("after")\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, env={**os.environ, 'PYTHONPATH': str(ROOT)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == 'for the person\nafter\n'
    assert done.stderr == ''
    log = (tmp_path / 'run.log').read_text()
    assert 'printed' in log and 'from C' in log and 'logged' in log


def test_the_log_is_utf_8_and_the_terminal_what_it_asks_for(tmp_path):
    log = tmp_path / 'run.log'
    code = (
        'import logging, pathlib\n'
        'from thawline.pipeline.system import log_redirect\n'
        'from thawline.pipeline.terminal import encoding\n'
        'encoding.make_readable()\n'
        f'with log_redirect.redirect_output(pathlib.Path({str(log)!r})) as terminal:\n'
        '    logging.info("größe \\udcff"); print("✓ größe", file=terminal)\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', code],
        env={**os.environ, 'PYTHONPATH': str(ROOT), 'PYTHONIOENCODING': 'ascii'},
        capture_output=True, check=True,
    )  # fmt: skip
    assert done.stdout == b'ok gr\\xf6\\xdfe\n'
    assert 'größe \\udcff' in log.read_text('utf-8')


def test_diverting_ends_also_after_an_error(tmp_path):
    with (
        pytest.raises(ValueError, match='inside'),
        log_redirect.redirect_output(tmp_path / 'x.log'),
    ):
        raise ValueError('inside')
    os.write(1, b'')  # the descriptor is open again
