"""What a run looks like on a real terminal, wide and narrow, and when it is resized."""

from __future__ import annotations

import fcntl
import os
import pathlib
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable

import pytest

from tests.pipeline.terminal import played_run
from thawline import ROOT

_ESCAPES = re.compile(r'\x1b\[[0-9;?]*[A-Za-z]')
HOME = pathlib.Path('/home/someone/projects/stones')
_PATIENCE = 60.0


class Terminal:
    """A pseudoterminal with a process in it."""

    def __init__(self, columns: int, environment: dict[str, str]) -> None:
        self._master, self._slave = pty.openpty()
        self.resize(columns)
        self.written = ''
        self._process = subprocess.Popen(
            [sys.executable, '-m', 'tests.pipeline.terminal.played_run', str(HOME)],
            stdin=self._slave, stdout=self._slave, stderr=self._slave, cwd=ROOT,
            env={**os.environ, 'TERM': 'xterm-256color', **environment},
        )  # fmt: skip

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack('HHHH', 40, columns, 0, 0))

    def wait_for(self, is_there: Callable[[str], object]) -> None:
        """Reads until what was written so far is as it should be."""
        end = time.monotonic() + _PATIENCE
        while not is_there(self.written):
            assert time.monotonic() < end, self.written
            if select.select([self._master], [], [], 0.1)[0]:
                self.written += os.read(self._master, 65536).decode('utf-8', 'replace')

    def finish(self) -> None:
        os.write(self._master, b'\n')
        assert self._process.wait(_PATIENCE) == 0
        self.wait_for(lambda written: 'into production' in written)
        os.close(self._master)
        os.close(self._slave)

    @property
    def lines(self) -> list[str]:
        """What stays on the screen."""
        text = re.sub(r'\r(?:\x1b\[\??[0-9;]*[A-Za-z])*\x1b\[2K', '\r', self.written)
        rows = (_ESCAPES.sub('', row) for row in text.split('\n'))
        return [row.rstrip('\r').rpartition('\r')[2].rstrip() for row in rows]

    @property
    def bars(self) -> list[str]:
        """The line of the running node, as often as it was drawn."""
        text = _ESCAPES.sub('', self.written.replace('\x1b[2K', '\n')).replace('\r', '\n')
        return re.findall(r'Trainer [^\n]*?\d:\d\d:\d\d', text)


def started(columns: int, **environment: str) -> Terminal:
    plain = {'XTERM_VERSION': '', 'STY': '', 'COLUMNS': '', 'LINES': ''}
    terminal = Terminal(columns, {**plain, **environment})
    terminal.wait_for(lambda written: '120/397' in written)
    return terminal


@pytest.mark.parametrize('columns', [80, 40, 120])
def test_no_word_is_broken_and_no_line_is_longer_than_the_terminal(columns: int) -> None:
    terminal = started(columns)
    terminal.finish()
    words = ' '.join(terminal.lines).split()
    for text in (*played_run.LINES.values(), played_run.REASON):
        for word in text.format(home=HOME).split():
            assert word in words
    for line in terminal.lines:
        # A path that is longer than the terminal stands alone, in one piece.
        assert len(line) <= columns or len(line.split()) == 1, line
    assert not [line for line in terminal.lines if line.strip().startswith('%')]


@pytest.mark.parametrize(('columns', 'has_bar'), [(120, True), (80, True), (40, False)])
def test_the_running_node_is_one_line_with_its_count(columns: int, has_bar: bool) -> None:
    terminal = started(columns)
    terminal.finish()
    frame = terminal.bars[-1]
    assert '120/397' in frame
    assert len(re.findall('[━╸╺]', frame)) >= 10 * has_bar
    assert has_bar or '━' not in frame
    assert len(frame) + 2 <= columns, 'after the spinner'


def test_commands_are_not_broken_and_purposes_go_below() -> None:
    terminal = started(80)
    terminal.finish()
    (row,) = [i for i, line in enumerate(terminal.lines) if 'thawline review' in line]
    assert terminal.lines[row].endswith(f'thawline review last {HOME}')
    assert terminal.lines[row + 1] == f'{10 * " "}{played_run.STEPS[0][1]}'


@pytest.mark.parametrize(('environment', 'rows'), [({}, 1), ({'XTERM_VERSION': 'XTerm(379)'}, 0)])
def test_a_bar_that_a_narrower_terminal_wraps_is_erased(
    environment: dict[str, str], rows: int
) -> None:
    terminal = started(120, **environment)
    before = len(terminal.written)
    terminal.resize(60)
    terminal.wait_for(lambda written: 'through the froz…' in written[before:])
    terminal.finish()
    # Of the two rows that the bar has by then, rich erases the lower one.
    assert terminal.written[before:].count('\x1b[1A\x1b[2K') >= rows
    if not rows:
        assert '\x1b[1A\x1b[2K\r' not in terminal.written[before:].partition('froz…')[0]
