"""Progress in the terminal: a line per node, and a bar during long work."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import rich.console
import rich.progress
import rich.table
import rich.text

from thawline.components.shared import progress
from thawline.components.shared.durations import duration
from thawline.pipeline.metadata.runs import NodeResult
from thawline.pipeline.terminal.console import WIDE, say

_QUIET_SECONDS = 30.0  # between lines about long work without a terminal
_WIDTH = 17  # of the names of nodes


def _count(state: progress.Progress, of: str = ' of ') -> str:
    return f'{state.done:,}{of}{state.total:,} {state.what}' if state.total else state.what


class _TimeLeft(rich.progress.ProgressColumn):
    """`12 s left`; empty for work without a known end."""

    def render(self, task: rich.progress.Task) -> rich.text.Text:
        left = task.time_remaining if task.total else None
        return rich.text.Text('' if left is None else f'{duration(left)} left', 'dim')


class _Remark(rich.progress.ProgressColumn):
    """Takes the room that the other columns leave, on one line."""

    def render(self, task: rich.progress.Task) -> rich.text.Text:
        return rich.text.Text(task.fields['remark'], 'dim', no_wrap=True, overflow='ellipsis')


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
        bar = rich.progress.Progress(
            rich.progress.SpinnerColumn(),
            rich.progress.TextColumn(f'[bold]{node:<{_WIDTH}}[/bold]'),
            rich.progress.BarColumn(bar_width=24 if self._console.width >= WIDE else 6),
            rich.progress.TextColumn('{task.fields[count]}'),
            rich.progress.TimeElapsedColumn(table_column=rich.table.Column(no_wrap=True)),
            _TimeLeft(table_column=rich.table.Column(no_wrap=True)),
            _Remark(),
            console=self._console,
            transient=True,
            refresh_per_second=6,
        )
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
        line = rich.text.Text.assemble(
            ('! ', 'bold yellow') if self._is_refusal(result) else ('✓ ', 'green'),
            (f'{result.node:<{_WIDTH}}', 'bold'),
            (f'{took:>13}  ', 'dim'),
            self._describe(result),
        )
        self._console.print(line, soft_wrap=not self._console.is_terminal, highlight=False)

    def show_failed(self, node: str) -> None:
        self._console.print(rich.text.Text.assemble(('✗ ', 'red'), (node, 'bold')), highlight=False)
