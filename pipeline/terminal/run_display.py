"""What a run says in the terminal: its title, its nodes, its ending."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

import rich.console
import rich.text

from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata.runs import NodeResult
from thawline.pipeline.system import log_redirect
from thawline.pipeline.terminal import endings, node_lines
from thawline.pipeline.terminal.console import notifying, say, say_after, spinner
from thawline.pipeline.terminal.exit_codes import Outcome
from thawline.pipeline.terminal.progress_display import Display


class RunDisplay(Display):
    """Shows a run, from its title to its ending."""

    def __init__(self, file: TextIO, project: Project) -> None:
        super().__init__(
            rich.console.Console(file=file),
            lambda result: node_lines.line(result, project),
            node_lines.is_refusal,
        )
        self._project = project

    def show_title(self, run_id: str) -> None:
        name, output = self._project.name, self._project.output
        say(self._console, (name, 'bold'), f'  run {run_id}  in {output}')

    def show_fact(self, name: str, value: object) -> None:
        """A line such as `  time    12 s`."""
        self._say_fact(rich.text.Text(name), str(value))

    def _say_fact(self, name: rich.text.Text, value: str) -> None:
        head = rich.text.Text.assemble('  ', name)
        head.pad_right(max(10 - head.cell_len, 1))
        say_after(self._console, head, rich.text.Text(value))

    def waiting(
        self, what: str, in_plain_text: bool = False
    ) -> contextlib.AbstractContextManager[object]:
        """Shows on a terminal that something takes a while; elsewhere at most a line."""
        if in_plain_text and not self._console.is_terminal:
            say(self._console, f'  {what}')
        return spinner(self._console, what)

    def show_error(self, error: Exception, outcome: Outcome) -> str:
        """Shows why the run failed or stopped; returns the message."""
        message = endings.error_message(error, outcome)
        say_after(self._console, rich.text.Text('error: ', 'bold red'), rich.text.Text(message))
        return message

    def show_summary(self, results: Sequence[NodeResult]) -> Outcome:
        """Shows how a run without an error ended; returns the outcome."""
        summary = endings.summarise(results)
        if summary.headline:
            say(self._console, (summary.headline, summary.style))
        for line in summary.lines:
            say(self._console, f'  {line}')
        for caution in summary.cautions:
            self._say_fact(rich.text.Text('caution', 'bold yellow'), caution)
        self.show_next(summary.next_steps)
        return summary.outcome

    def show_next(self, steps: Iterable[tuple[str, str]]) -> None:
        """Commands, without the project, and what they are for."""
        for command, purpose in steps:
            command = self._project.command_line(f'thawline {command}')
            line = f'{command:<33} {purpose}'
            if self._console.is_terminal and len(line) > self._console.width - 10:
                line = f'{command}\n{purpose}'
            self.show_fact('next', line)

    def notifying(self, targets: int) -> contextlib.AbstractContextManager[object]:
        """Shows on a terminal that so many targets are notified."""
        return notifying(self._console, targets)

    def show_notified(self, results: Iterable[tuple[bool, str]]) -> None:
        """Shows whether each notification was sent, and a line on it."""
        for succeeded, line in results:
            if succeeded:
                self.show_fact('sent', line)
            else:
                say(self._console, ('warning: ', 'bold yellow'), line)


@contextlib.contextmanager
def show_compiling(log: pathlib.Path) -> Iterator[None]:
    """Shows on a terminal that TFX compiles in the block; what libraries print goes to the log."""
    with (
        log_redirect.redirect_output(log) as terminal,
        spinner(rich.console.Console(file=terminal), 'starting TFX, compiling'),
    ):
        yield
