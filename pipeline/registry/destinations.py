"""Where servers load model versions from: a local folder, or remote objects.

A version is a folder whose name is a number and which holds `saved_model.pb`: TensorFlow
Serving and all readers in this package ignore everything else. So a version is prepared under
another name, or without that file, and appears only when it is complete.
"""

from __future__ import annotations

import pathlib
from typing import Protocol

from thawline.components.ingestion import storage
from thawline.components.pusher.local_destination import LocalDestination
from thawline.components.shared.model_fingerprint import Advance, Fingerprint, ModelFiles


class Destination(Protocol):
    """One stage's versions. All changes are made by one process at a time, which holds the lock."""

    @property
    def name(self) -> str:
        """The folder or URL."""

    @property
    def renames(self) -> bool:
        """Whether a rename makes a version appear; otherwise the last file does."""

    def versions(self) -> list[int]:
        """All versions, lowest first."""

    def source(self, version: int) -> ModelFiles:
        """The files of a version."""

    def prepare(
        self, source: ModelFiles, version: int, incoming: str, advance: Advance
    ) -> Fingerprint:
        """Copies all files, not yet visible as a version; returns their fingerprint."""

    def prepared(self, version: int, incoming: str) -> ModelFiles:
        """The files that `prepare` wrote."""

    def finish(self, source: ModelFiles, version: int, incoming: str) -> None:
        """Makes the version appear atomically."""

    def discard(self, version: int, incoming: str) -> bool:
        """Removes what `prepare` wrote; returns whether there was anything."""

    def remove(self, version: int, hidden: str) -> None:
        """Removes a version: it disappears atomically, then its files are deleted."""

    def sweep(self, version: int, hidden: str) -> None:
        """Removes what an interrupted `remove` left."""


def destination_at(where: str) -> Destination:
    """The destination at a path or URL."""
    if storage.is_remote(where):
        from thawline.pipeline.registry.remote_destination import (
            RemoteDestination,  # Beam takes a second to import
        )

        return RemoteDestination(where.rstrip('/'))
    return LocalDestination(pathlib.Path(where))
