"""`thawline serve`: a model behind HTTP, by TensorFlow Serving where it is, else by our own.

Which model: the highest version in the project's production folder, or in staging, or a path.
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
from thawline.pipeline.server.model_choice import Options, stages_of, target
from thawline.pipeline.server.tensorflow_serving import _run_tensorflow_serving
from thawline.pipeline.terminal.console import say


def recorded_model(project: Project, wanted: str) -> pathlib.Path:
    """The folder of a model by its id or that of its run, from the metadata.

    Raises:
        ConfigError: there is none.
    """
    from thawline.pipeline.registry import files  # ML Metadata only for those who ask

    return files.saved_model(project, wanted)


def execute(project: Project, options: Options) -> int:
    """Serves until somebody stops it; returns the exit code.

    Raises:
        ConfigError: there is no model, or the address cannot be used.
    """
    name = options.name or project.name
    if not re.fullmatch(r'[A-Za-z0-9_.-]{1,100}', name):
        raise ConfigError(
            f'--name: {name!r}; letters, digits, _, . and - are known to every client'
        )
    stages = stages_of(project)
    served = target(stages, options, functools.partial(recorded_model, project))
    console = rich.console.Console(file=sys.stdout)
    if not options.python:
        found, why = tensorflow_serving.find()
        if found is not None:
            return _run_tensorflow_serving(found, served, name, options, console)
        say(console, (f'{why}: a small server in Python instead', 'dim'))
    asked = python_server.Asked(
        served.folder, served.find, name, options.host, options.port, project.config.data.max_side,
        options.limits, options.grace,
    )  # fmt: skip
    python_server.execute(asked, _log(project))


def _log(project: Project) -> pathlib.Path:
    """With the project's other logs, where it has had a run."""
    folder = project.logs if project.output.is_dir() else pathlib.Path(tempfile.gettempdir())
    return folder / f'serve-{time.strftime("%Y%m%d-%H%M%S")}-{os.getpid()}.log'
