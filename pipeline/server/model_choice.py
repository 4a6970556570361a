"""Which model `thawline serve` serves."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Mapping

from thawline.components.shared import version_folders
from thawline.components.shared.errors import ConfigError, NotFound
from thawline.pipeline.recording.recorder import RecordingSettings
from thawline.pipeline.server.limits import RequestLimits


@dataclasses.dataclass(frozen=True)
class ServeOptions:
    """The options of `thawline serve`.

    Attributes:
        stage: 'production' or 'staging'.
        model: a path, a stage, or the id of a model or run; takes the place of `stage`.
        name: of the model in URLs; None: the project's name.
        host: address to listen on; None: 127.0.0.1.
        port: of REST and the page; 0: any free port.
        grpc_port: of TensorFlow Serving.
        python: whether to use the server in Python even where TensorFlow Serving is available.
        limits: of one request.
        grace: seconds that running requests have to finish at shutdown.
        recording: what is kept of images and answers; None: nothing.
    """

    stage: str = 'production'
    model: str | None = None
    name: str | None = None
    host: str | None = None
    port: int = 8501
    grpc_port: int = 8500
    python: bool = False
    limits: RequestLimits = dataclasses.field(default_factory=RequestLimits)
    grace: int = 20
    recording: RecordingSettings | None = None


@dataclasses.dataclass(frozen=True)
class ServedModel:
    """A folder of versions, or one model.

    Attributes:
        folder: of the versions, or of the model.
        version: of the one model; None for a folder of versions.
    """

    folder: pathlib.Path
    version: int | None

    def versions(self) -> Mapping[int, pathlib.Path]:
        """The complete versions, the highest first."""
        if self.version is None:
            return version_folders.complete_versions(self.folder)
        return {self.version: self.folder}


def choose_model(
    stages: Mapping[str, str], options: ServeOptions, find_recorded: Callable[[str], pathlib.Path]
) -> ServedModel:
    """Chooses the model to serve.

    Args:
        stages: the folder of versions of each stage.
        options: of the command.
        find_recorded: finds the folder of a model by an id in the metadata.

    Raises:
        ConfigError: there is no such model.
    """
    name = options.model
    if name is not None and name not in stages:
        path = pathlib.Path(name).expanduser()
        return _model_at(path if path.exists() or '/' in name else find_recorded(name))
    stage = name or options.stage
    location = stages[stage]
    if '://' in location:
        raise ConfigError(
            f'serving.production: {location} is not a folder on this machine; run a server where '
            'it is, or serve --stage staging'
        )
    folder = pathlib.Path(location)
    if version_folders.complete_versions(folder):
        return ServedModel(folder, None)
    if stage == 'staging':
        raise NotFound(f'no model in staging ({folder}); train one with: thawline run')
    staged = version_folders.complete_versions(pathlib.Path(stages['staging']))
    raise NotFound(
        f'no model in production ({folder}); '
        + (
            'promote one with: thawline promote MODEL, or serve the model in staging with: '
            'thawline serve --stage staging'
            if staged
            else 'train one with: thawline run, then: thawline promote last'
        )
    )


def _model_at(path: pathlib.Path) -> ServedModel:
    folder = path.resolve()
    if version_folders.is_model(folder):
        number = version_folders.version_number(folder.name)
        return ServedModel(folder, 1 if number is None else number)
    if version_folders.complete_versions(folder):
        return ServedModel(folder, None)
    raise NotFound(
        f'--model: {path} is neither a SavedModel nor a folder of versions (named by numbers)'
    )
