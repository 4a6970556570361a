"""ML Metadata's records: in the SQLite file of a project, or wherever a runner says.

Who made what is asked for by some executors too. They are not told where by a parameter: it would
be part of their cache key, and of the metadata themselves. The runner that launches them in its
process lends them its own connection instead.
"""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Iterator

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.components.shared import postgresql_store
from thawline.components.shared.errors import Unavailable

_ATTEMPTS = {'sqlite': 10, 'postgresql': 3}  # to open; a server is waited for by each of them
# Of a write that another process was in the way of, some seconds apart. ML Metadata gives up after
# 5, which processes that write at the same time on a busy machine do reach.
_RETRIES = 30
_lent: pb.ConnectionConfig | None = None


def open_sqlite(path: str | os.PathLike[str]) -> mlmd.MetadataStore:
    """Opens the file; makes one where there is none."""
    config = pb.ConnectionConfig()
    config.sqlite.filename_uri = os.fspath(path)
    return open_store(config)


def open_store(connection: pb.ConnectionConfig) -> mlmd.MetadataStore:
    """Opens what a complete connection leads to; makes the tables where there are none.

    Raises:
        Unavailable: the server of a database cannot be reached.
        RuntimeError: it cannot be opened, also not when tried again: two processes that make the
            tables at the same time stop each other.
    """
    place = connection.WhichOneof('config')
    kind = postgresql_store.connect if place == 'postgresql' else mlmd.MetadataStore
    patient = pb.ConnectionConfig()
    patient.CopyFrom(connection)
    patient.retry_options.max_num_retries = _RETRIES
    for _ in range(_ATTEMPTS[place] - 1):
        try:
            return kind(patient)
        except (RuntimeError, Unavailable):
            time.sleep(random.random())
    return kind(patient)


@contextlib.contextmanager
def lend(connection: pb.ConnectionConfig) -> Iterator[None]:
    """Lets executors of this process ask the metadata for the time of the block."""
    global _lent
    before, _lent = _lent, connection
    try:
        yield
    finally:
        _lent = before


def lent_store() -> mlmd.MetadataStore | None:
    """The metadata of the run under way; None where no runner lends them."""
    return None if _lent is None else open_store(_lent)
