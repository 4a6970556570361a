"""`thawline compile`: the pipeline as a file that schedulers and `thawline run-node` read."""

from __future__ import annotations

import contextlib
import pathlib
from typing import Any

import rich.console

from thawline.pipeline.config.project import Project
from thawline.pipeline.runners import compiled_file
from thawline.pipeline.runners import run as run_lib
from thawline.pipeline.system import log_redirect
from thawline.pipeline.terminal import progress_display


def execute(project: Project, out: pathlib.Path | None) -> None:
    """Compiles a project; the file goes to its output folder where no other place is given.

    Raises:
        ConfigError: the project cannot be compiled, or the file not be written.
    """
    path = project.output / compiled_file.FILE if out is None else out
    content = compiled(project)
    compiled_file.write(path, content)
    nodes, digest = content['nodes'], content['digest']
    progress_display.say(rich.console.Console(), f'wrote {path}: {len(nodes)} nodes, {digest[:19]}')


def compiled(project: Project) -> dict[str, Any]:
    """The content of the file: a compiled project.

    Raises:
        ConfigError: the project cannot be compiled.
    """
    run_lib.check_files(project)
    with log_redirect.diverted(project.logs / 'compile.log') as terminal:
        console = rich.console.Console(file=terminal)
        waiting = console.status('starting TFX, compiling')
        with waiting if console.is_terminal else contextlib.nullcontext():
            from thawline.pipeline.runners import compiling

            return compiled_file.envelope(project, *compiling.of_project(project))
