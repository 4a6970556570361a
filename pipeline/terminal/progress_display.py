"""Progress in the terminal: a line per node, and a bar during long work."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator

import rich.console
import rich.measure
import rich.progress
import rich.table
import rich.text

from thawline.components.shared import progress
from thawline.components.shared.durations import duration
from thawline.pipeline.metadata.runs import NodeResult
from thawline.pipeline.terminal.console import WIDE, say, say_after

_QUIET_SECONDS = 30.0  # between lines about long work without a terminal
_WIDTH = 17  # of the names of nodes
# Set by terminals that cut lines when they become narrower, where most others wrap them.
_CUT_LINES = ('XTERM_VERSION', 'STY')
_NARROW = 72  # columns below which there is no bar


def _count(state: progress.Progress, of: str = ' of ') -> str:
    return f'{state.done:,}{of}{state.total:,} {state.what}' if state.total else state.what


class _TimeLeft(rich.progress.ProgressColumn):
    """`12 s left`; empty for work without a known end."""

    def render(self, task: rich.progress.Task) -> rich.text.Text:
        left = task.time_remaining if task.total else None
        return rich.text.Text('' if left is None else f'{duration(left)} left', 'dim')


class _Text(rich.progress.ProgressColumn):
    """A field of the task, in the room that the other columns leave, on one line."""

    def __init__(
        self, field: str, style: str = '', table_column: rich.table.Column | None = None
    ) -> None:
        super().__init__(table_column)
        self._field, self._style = field, style

    def render(self, task: rich.progress.Task) -> rich.text.Text:
        text = task.fields[self._field]
        return rich.text.Text(text, self._style, no_wrap=True, overflow='ellipsis')


class _OneLine(rich.progress.Progress):
    """Progress on one line of the terminal, as wide as that is by now."""

    def __init__(self, console: rich.console.Console, node: str) -> None:
        def fixed() -> rich.table.Column:
            return rich.table.Column(no_wrap=True)

        self._spinner = rich.progress.SpinnerColumn()
        self._name = rich.progress.TextColumn(
            f'[bold]{node:<{_WIDTH}}[/bold]', table_column=fixed()
        )
        self._bars = {
            width: rich.progress.BarColumn(bar_width=width, table_column=fixed())
            for width in (10, 24)
        }
        self._count = _Text('count', table_column=fixed())
        self._short_count = _Text('count')
        self._elapsed = rich.progress.TimeElapsedColumn(table_column=fixed())
        self._left = _TimeLeft(table_column=fixed())
        self._remark = _Text('remark', 'dim')
        self._console = console
        self._drawn = 0  # columns of the line as it was drawn last
        super().__init__(console=console, transient=True, refresh_per_second=6)

    def make_tasks_table(self, tasks: Iterable[rich.progress.Task]) -> rich.table.Table:
        """Leaves out what a narrow terminal has no room for; remarks give way first."""
        width = self._console.width
        self._erase_wrapped(width)
        columns: list[rich.progress.ProgressColumn] = [self._spinner, self._name]
        if width >= _NARROW:
            columns.append(self._bars[24 if width >= WIDE else 10])
        columns += [self._count if width >= _NARROW else self._short_count, self._elapsed]
        if width >= WIDE:
            columns.append(self._left)
        if width >= _NARROW:
            columns.append(self._remark)
        self.columns = tuple(columns)
        table = super().make_tasks_table(tasks)
        options = self._console.options
        self._drawn = rich.measure.Measurement.get(self._console, options, table).maximum
        return table

    def _erase_wrapped(self, width: int) -> None:
        """Erases the line where a narrower terminal has wrapped it; rich erases one row alone."""
        rows = -(-self._drawn // width)
        if rows > 1 and not any(map(os.environ.get, _CUT_LINES)):
            self._console.file.write('\r\x1b[2K' + (rows - 1) * '\x1b[1A\x1b[2K')
            self._drawn = 0


class Display:
    """Shows nodes as they run and end."""

    def __init__(
        self,
        console: rich.console.Console,
        describe: Callable[[NodeResult], str],
        is_refusal: Callable[[NodeResult], bool] = lambda result: False,
    ) -> None:
        """`describe` gives the line of a node that is done; a refusal is no tick."""
        self._console = console
        self._describe = describe
        self._is_refusal = is_refusal

    @contextlib.contextmanager
    def show_running(self, node: str) -> Iterator[None]:
        """Shows a node as running until the block ends."""
        display = self._live(node) if self._console.is_terminal else self._plain(node)
        with display as listener, progress.listening(listener):
            yield

    @contextlib.contextmanager
    def _live(self, node: str) -> Iterator[progress.Listener]:
        bar = _OneLine(self._console, node)
        with bar:
            task = bar.add_task(node, total=None, count='', remark='')
            what = ''

            def listen(state: progress.Progress) -> None:
                nonlocal what
                if state.what != what:
                    what = state.what
                    bar.reset(task, total=state.total)
                bar.update(
                    task, total=state.total, completed=state.done, count=_count(state, '/'),
                    remark=state.remark,
                )  # fmt: skip

            yield listen

    @contextlib.contextmanager
    def _plain(self, node: str) -> Iterator[progress.Listener]:
        self._console.print(f'> {node}', highlight=False)
        began = time.monotonic()
        latest = progress.Progress()
        over = threading.Event()

        def listen(state: progress.Progress) -> None:
            nonlocal latest
            latest = state

        def print_progress() -> None:
            while not over.wait(_QUIET_SECONDS):
                parts = (duration(time.monotonic() - began), _count(latest), latest.remark)
                say(self._console, f'  {node}: {", ".join(filter(None, parts))}')

        printing = threading.Thread(target=print_progress, daemon=True)
        printing.start()
        try:
            yield listen
        finally:
            over.set()
            printing.join()

    def show_done(self, result: NodeResult) -> None:
        """Shows a node that is done, with its time and its line."""
        self._tick(result, 'cached' if result.state == 'cached' else duration(result.seconds))

    def show_complete(self, result: NodeResult) -> None:
        """Shows a node that had completed before."""
        self._tick(result, 'complete')

    def _tick(self, result: NodeResult, took: str) -> None:
        head = rich.text.Text.assemble(
            ('! ', 'bold yellow') if self._is_refusal(result) else ('✓ ', 'green'),
            (f'{result.node:<{_WIDTH}}', 'bold'),
            (f'{took:>13}  ', 'dim'),
        )
        line = self._describe(result)
        if not self._console.is_terminal:  # whoever searches a log finds it in the node's line
            line = line.replace('\n', '; ')
        say_after(self._console, head, rich.text.Text(line))

    def show_failed(self, node: str) -> None:
        self._console.print(rich.text.Text.assemble(('✗ ', 'red'), (node, 'bold')), highlight=False)
