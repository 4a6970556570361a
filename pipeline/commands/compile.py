"""`thawline compile`: the pipeline as a file that schedulers and `thawline run-node` read."""

from __future__ import annotations

import pathlib

import rich.console

from thawline.pipeline.config.project import Project
from thawline.pipeline.runners import compiled_file, compiling
from thawline.pipeline.terminal import console


def execute(project: Project, out: pathlib.Path | None) -> None:
    """Compiles a project; the file goes to its output folder where no other place is given.

    Raises:
        ConfigError: the project cannot be compiled, or the file not be written.
    """
    path = project.output / compiled_file.FILE if out is None else out
    content = compiling.compile_project(project)
    compiled_file.write(path, content)
    nodes, digest = content['nodes'], content['digest']
    console.say(rich.console.Console(), f'wrote {path}: {len(nodes)} nodes, {digest[:19]}')
