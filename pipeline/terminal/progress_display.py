"""What a person sees while the chain runs: a line a node, a bar where work is long."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import rich.console
import rich.live
import rich.markup
import rich.progress
import rich.text

from thawline.components.shared import progress
from thawline.components.shared.durations import duration
from thawline.pipeline.metadata.runs import NodeResult
from thawline.pipeline.terminal.console import say

_QUIET_SECONDS = 30.0  # how often a log without a terminal hears of long work


def _words(state: progress.Progress) -> str:
    """`300 of 1,200 steps, val accuracy 0.871`; empty before the first word of it."""
    count = f'{state.done:,} of {state.total:,} {state.what}' if state.total else state.what
    return ', '.join(filter(None, (count, state.remark)))


class _TimeLeft(rich.progress.ProgressColumn):
    """`12 s left`, or nothing where the work has no known end."""

    def render(self, task: rich.progress.Task) -> rich.text.Text:
        left = task.time_remaining if task.total else None
        return rich.text.Text('' if left is None else f'{duration(left)} left', 'dim')


class Display:
    """Shows nodes as they start, run and end; a `pipeline.runners.node.SchedulerNarrator`."""

    def __init__(
        self, console: rich.console.Console, describe: Callable[[NodeResult], str]
    ) -> None:
        """`describe` gives the line of what a node found."""
        self._console = console
        self._describe = describe
        self._width = 17

    @contextlib.contextmanager
    def started(self, node: str) -> Iterator[None]:
        """Shows `node` as running until the block ends."""
        shown = self._live(node) if self._console.is_terminal else self._plain(node)
        with shown as listener, progress.listening(listener):
            yield

    @contextlib.contextmanager
    def _live(self, node: str) -> Iterator[progress.Listener]:
        bar = rich.progress.Progress(
            rich.progress.SpinnerColumn(),
            rich.progress.TextColumn(f'[bold]{node:<{self._width}}[/bold]'),
            rich.progress.BarColumn(bar_width=24),
            rich.progress.TextColumn('{task.fields[count]}'),
            rich.progress.TimeElapsedColumn(),
            _TimeLeft(),
            rich.progress.TextColumn('[dim]{task.fields[remark]}[/dim]'),
            console=self._console,
            transient=True,
            refresh_per_second=6,
        )
        with bar:
            task = bar.add_task(node, total=None, count='', remark='')
            shown_for = ['']

            def listen(state: progress.Progress) -> None:
                if state.what != shown_for[0]:
                    shown_for[0] = state.what
                    bar.reset(task, total=state.total)
                count = (
                    f'{state.done:,}/{state.total:,} {state.what}' if state.total else state.what
                )
                bar.update(
                    task, total=state.total, completed=state.done, count=count, remark=state.remark
                )

            yield listen

    @contextlib.contextmanager
    def _plain(self, node: str) -> Iterator[progress.Listener]:
        self._console.print(f'> {node}', highlight=False)
        began = time.monotonic()
        latest = [progress.Progress()]
        over = threading.Event()

        def tell() -> None:
            while not over.wait(_QUIET_SECONDS):
                passed = duration(time.monotonic() - began)
                parts = filter(None, (passed, _words(latest[0])))
                say(self._console, f'  {node}: {", ".join(parts)}')

        def listen(state: progress.Progress) -> None:
            latest[0] = state

        telling = threading.Thread(target=tell, daemon=True)
        telling.start()
        try:
            yield listen
        finally:
            over.set()
            telling.join()

    def ended(self, result: NodeResult) -> None:
        """Shows the finished node with its time and its line."""
        self._done(result, 'cached' if result.state == 'cached' else duration(result.seconds))

    def kept(self, result: NodeResult) -> None:
        """Shows that a node need not run: it was complete already."""
        self._done(result, 'complete')

    def _done(self, result: NodeResult, took: str) -> None:
        line = rich.text.Text.assemble(
            ('✓ ', 'green'),
            (f'{result.node:<{self._width}}', 'bold'),
            (f'{took:>13}  ', 'dim'),
            self._describe(result),
        )
        self._console.print(line, soft_wrap=not self._console.is_terminal, highlight=False)

    def failed(self, node: str) -> None:
        """Shows that a node did not complete."""
        self._console.print(rich.text.Text.assemble(('✗ ', 'red'), (node, 'bold')), highlight=False)
