"""ML Metadata in the SQLite file of a project."""

from __future__ import annotations

import os

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb


def open_sqlite(path: str | os.PathLike[str]) -> mlmd.MetadataStore:
    """Opens the file; makes one where there is none."""
    config = pb.ConnectionConfig()
    config.sqlite.filename_uri = os.fspath(path)
    return mlmd.MetadataStore(config)
