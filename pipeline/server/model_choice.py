"""Which model is to be served, from what was asked for at the prompt."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Mapping

from thawline.components.shared.errors import ConfigError
from thawline.pipeline.config.project import Project
from thawline.pipeline.registry import version_folders
from thawline.pipeline.server.limits import Limits


@dataclasses.dataclass(frozen=True)
class Options:
    """What was asked for at the prompt.

    Attributes:
        stage: 'production' or 'staging'.
        model: a path, a stage, or the id of a model or run instead.
        name: of the model in the paths; None: the project's.
        host: None: this machine alone.
        port: of REST and the page; 0: any free one.
        grpc_port: of TensorFlow Serving.
        python: whether to take our own server anyway.
        limits: of one request.
        grace: seconds that requests have to end.
    """

    stage: str = 'production'
    model: str | None = None
    name: str | None = None
    host: str | None = None
    port: int = 8501
    grpc_port: int = 8500
    python: bool = False
    limits: Limits = dataclasses.field(default_factory=Limits)
    grace: int = 20


@dataclasses.dataclass(frozen=True)
class Target:
    """What is served.

    Attributes:
        folder: of versions, or of one model.
        version: of the one model; None for a folder of versions.
    """

    folder: pathlib.Path
    version: int | None

    def find(self) -> Mapping[int, pathlib.Path]:
        """The versions that are there, the highest first."""
        if self.version is None:
            return version_folders.complete(self.folder)
        return {self.version: self.folder}


def target(
    stages: Mapping[str, str], options: Options, recorded: Callable[[str], pathlib.Path]
) -> Target:
    """Finds what is to be served.

    Args:
        stages: where each stage keeps its versions.
        options: what was asked for.
        recorded: the folder of a model that the metadata know by an id.

    Raises:
        ConfigError: there is nothing.
    """
    wanted = options.model
    if wanted is not None and wanted not in stages:
        path = pathlib.Path(wanted).expanduser()
        return _at_path(path if path.exists() or '/' in wanted else recorded(wanted))
    stage = wanted or options.stage
    place = stages[stage]
    if '://' in place:
        raise ConfigError(
            f'serving.production: {place} is no folder on this machine; let the server there read '
            'it, or serve --stage staging'
        )
    folder = pathlib.Path(place)
    if version_folders.complete(folder):
        return Target(folder, None)
    if stage == 'staging':
        raise ConfigError(f'no model in staging ({folder}); train one with: thawline run')
    waiting = version_folders.complete(pathlib.Path(stages['staging']))
    raise ConfigError(
        f'no model in production ({folder}); '
        + (
            'promote one with: thawline promote MODEL, or serve what waits with: '
            'thawline serve --stage staging'
            if waiting
            else 'train one with: thawline run, then: thawline promote last'
        )
    )


def _at_path(path: pathlib.Path) -> Target:
    folder = path.resolve()
    if version_folders.is_model(folder):
        number = version_folders.number(folder.name)
        return Target(folder, 1 if number is None else number)
    if version_folders.complete(folder):
        return Target(folder, None)
    raise ConfigError(
        f'--model: {path} is neither a SavedModel nor a folder of versions (named by numbers)'
    )


def stages_of(project: Project) -> dict[str, str]:
    """Where each stage keeps its versions."""
    return {'production': project.production(), 'staging': str(project.staging)}
