"""`thawline serve`: serves a model over HTTP, by TensorFlow Serving or our own server in Python.

The model: the highest version in the project's production folder or in staging, or a path.
"""

from __future__ import annotations

import functools
import os
import pathlib
import re
import sys
import tempfile
import time

import rich.console

from thawline.components.shared.errors import ConfigError
from thawline.pipeline.config.project import Project
from thawline.pipeline.server import python_server, tensorflow_serving
from thawline.pipeline.server.model_choice import ServeOptions, choose_model, stages_of
from thawline.pipeline.terminal.console import say


def recorded_model(project: Project, model_id: str) -> pathlib.Path:
    """The folder of a model by its id or that of its run, from the metadata.

    Raises:
        ConfigError: there is none.
    """
    from thawline.pipeline.registry import files  # imports ML Metadata

    return files.saved_model(project, model_id)


def execute(project: Project, options: ServeOptions) -> int:
    """Serves until it is stopped; returns the exit code.

    Raises:
        ConfigError: there is no model, or the address cannot be used.
    """
    name = options.name or project.name
    if not re.fullmatch(r'[A-Za-z0-9_.-]{1,100}', name):
        raise ConfigError(f'--name takes letters, digits, _, . and -. Received: {name!r}')
    stages = stages_of(project)
    served = choose_model(stages, options, functools.partial(recorded_model, project))
    console = rich.console.Console(file=sys.stdout)
    if not options.python:
        installation, why_none = tensorflow_serving.find_installation()
        if installation is not None:
            return tensorflow_serving.serve(installation, served, name, options, console)
        say(console, (f'{why_none}: starting the server in Python', 'dim'))
    settings = python_server.ServiceSettings(
        served.folder, served.versions, name, options.host, options.port,
        project.config.data.max_side, options.limits, options.grace,
    )  # fmt: skip
    python_server.serve(settings, _log(project))


def _log(project: Project) -> pathlib.Path:
    """With the project's other logs, where it has had a run."""
    folder = project.logs if project.output.is_dir() else pathlib.Path(tempfile.gettempdir())
    return folder / f'serve-{time.strftime("%Y%m%d-%H%M%S")}-{os.getpid()}.log'
