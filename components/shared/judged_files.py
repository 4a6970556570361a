"""What the files of a model were when a node judged or made it, and whether they still are.

TFX knows an artifact by its number, not by its bytes: nodes that are served from the cache, and all
that load a model later, would take a folder that somebody changed for the one that was judged.
"""

from __future__ import annotations

import pathlib

from tfx.types.artifact import Artifact

from thawline.components.shared import model_fingerprint
from thawline.components.shared.errors import ConfigError, NotFound
from thawline.components.shared.model_fingerprint import FileChanges, Fingerprint, LocalFiles
from thawline.components.shared.property_names import MODEL_DIGEST


def record(model: pathlib.Path, artifact: Artifact) -> None:
    """Records the files of a model: all of them in the artifact's folder, a digest as property.

    Raises:
        UserError: the model cannot be read.
    """
    present = model_fingerprint.fingerprint(LocalFiles(model))
    present.write(artifact.uri)
    artifact.set_string_custom_property(MODEL_DIGEST, present.digest)


def check(model: pathlib.Path, artifact: Artifact, what: str, first: str) -> None:
    """Refuses a model whose files are not those that were recorded.

    Args:
        model: its folder.
        artifact: where `record` put them.
        what: 'the model that the Evaluator judged'.
        first: node that makes the model again.

    Raises:
        ConfigError: a file has changed, is missing or was added.
        UserError: the model or the record cannot be read.
    """
    again = f'make it again with: thawline run --from {first} --no-cache'
    try:
        differences = changes(model, artifact)
    except FileNotFoundError as error:
        raise NotFound(f'{error.filename} is missing, the record of {what}; {again}') from error
    if differences:
        raise ConfigError(f'{model} is no longer {what}: {differences}; {again}')


def changes(model: pathlib.Path, artifact: Artifact) -> str:
    """What of a model's files is not as `record` put it into an artifact; '' where all is.

    Raises:
        FileNotFoundError: there is no record.
        UserError: the model cannot be read.
    """
    recorded = Fingerprint.read(artifact.uri)
    return str(FileChanges.between(recorded, model_fingerprint.read(LocalFiles(model))))
