"""What a run says around its nodes; nothing in it is markup."""

from __future__ import annotations

import io
import pathlib

import pytest

from thawline.components.shared.errors import DataError
from thawline.pipeline.config import loading
from thawline.pipeline.config.project import Project
from thawline.pipeline.terminal.exit_codes import Outcome
from thawline.pipeline.terminal.run_display import RunDisplay


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def display(out: io.StringIO, tmp_path: pathlib.Path) -> RunDisplay:
    settings = loading.parse('name: stones\ndata: {source: images}\n', 'thawline.yaml')
    return RunDisplay(out, Project.of(settings, tmp_path / ('long' * 40)))


def test_lines_are_not_broken_where_nobody_reads_a_screen(
    display: RunDisplay, out: io.StringIO, tmp_path: pathlib.Path
) -> None:
    display.show_title('r1')
    display.show_fact('log', tmp_path / ('[bold]' * 30))
    title, fact = out.getvalue().splitlines()
    assert title == f'stones  run r1  in {tmp_path}/{"long" * 40}/runs/stones'
    assert fact == f'  log     {tmp_path}/{"[bold]" * 30}'


@pytest.mark.parametrize(
    ('error', 'outcome', 'message'),
    [
        (DataError('no images in [a]'), Outcome.STOPPED_BY_DATA, 'no images in [a]'),
        (KeyError('x'), Outcome.CRASHED, "'x' (KeyError)"),
        (KeyError('x'), Outcome.INTERRUPTED, 'stopped on request'),
    ],
)
def test_error_is_shown_and_returned(
    display: RunDisplay, out: io.StringIO, error: Exception, outcome: Outcome, message: str
) -> None:
    shown = display.show_error(error, outcome)
    assert shown.startswith(message) and out.getvalue() == f'error: {shown}\n'


def test_waiting_is_a_line_only_where_it_is_asked_for(
    display: RunDisplay, out: io.StringIO
) -> None:
    with display.waiting('starting'), display.notifying(2):
        assert out.getvalue() == ''
    with display.waiting('starting', in_plain_text=True):
        assert out.getvalue() == '  starting\n'


def test_notifications_that_failed_are_warnings(display: RunDisplay, out: io.StringIO) -> None:
    display.show_notified([(True, 'a: 200 OK'), (False, 'cannot notify b: refused')])
    assert out.getvalue().splitlines() == [
        '  sent    a: 200 OK', 'warning: cannot notify b: refused',
    ]  # fmt: skip
