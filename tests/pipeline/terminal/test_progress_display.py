"""What a person sees, with and without a terminal."""

from __future__ import annotations

import io

import rich.console

from thawline.components.shared import progress
from thawline.pipeline.metadata.runs import NodeResult
from thawline.pipeline.terminal import progress_display


def display(terminal: bool) -> tuple[progress_display.Display, io.StringIO]:
    out = io.StringIO()
    console = rich.console.Console(file=out, force_terminal=terminal, width=200, color_system=None)
    return progress_display.Display(console, lambda result: f'line of {result.node}'), out


def test_log_names_start_and_end_of_each_node():
    screen, out = display(terminal=False)
    with screen.show_running('Trainer'):
        progress.start('steps', 10)
        progress.advance()
    screen.show_done(NodeResult('Trainer', 'complete', {}, 12.3))
    lines = out.getvalue().splitlines()
    assert lines[0] == '> Trainer'
    assert lines[1].startswith('✓ Trainer') and '12 s' in lines[1]
    assert lines[1].endswith('line of Trainer')
    assert len(lines) == 2, 'short work prints no progress'


def test_cached_node_shows_no_seconds():
    screen, out = display(terminal=False)
    screen.show_done(NodeResult('Transform', 'cached', {}, 0.1))
    assert 'cached' in out.getvalue() and '0.1 s' not in out.getvalue()


def test_terminal_shows_a_bar_with_counts_and_remark():
    screen, out = display(terminal=True)
    with screen.show_running('Trainer'):
        progress.start('steps', 1200)
        progress.advance(300)
        progress.note('val accuracy 0.871')
    assert '300/1,200 steps' in out.getvalue()
    assert 'val accuracy 0.871' in out.getvalue()


def test_progress_stays_on_one_line_of_80_columns():
    out = io.StringIO()
    console = rich.console.Console(file=out, force_terminal=True, width=80, color_system=None)
    with progress_display.Display(console, lambda result: '').show_running('Trainer'):
        progress.start('fine-tuning steps', 1200)
        progress.advance(300)
        progress.note('epoch 2/12, val 88.1 % ▁▃▅█')
    last = out.getvalue().rpartition('\x1b[?25h')[0].rpartition('\x1b[2K')[2]
    assert '300/1,200 fine-tuning steps' in last and 'epo' in last and '…' in last
    assert len(last.splitlines()[0]) <= 80


def test_names_with_brackets_are_shown_as_they_are():
    out = io.StringIO()
    console = rich.console.Console(file=out, width=200, color_system=None)
    screen = progress_display.Display(console, lambda result: "no class '[bold]a[/x]'")
    screen.show_done(NodeResult('DataGate', 'complete', {}, 0.1))
    assert "no class '[bold]a[/x]'" in out.getvalue()
