"""One real model for all tests of the server."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.components.transformed import Transformed
    from tests.pipeline.server.server_setup import Site


@pytest.fixture(scope='session')
def served_model(
    transformed: Transformed, tmp_path_factory: pytest.TempPathFactory
) -> pathlib.Path:
    """The folder of a SavedModel."""
    from tests.pipeline.server import server_setup

    return server_setup.exported(transformed, tmp_path_factory.mktemp('served') / 'model')


@pytest.fixture(scope='session')
def site(served_model: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The application with version 7 in service."""
    from tests.pipeline.server import server_setup

    base = tmp_path_factory.mktemp('versions')
    server_setup.put(served_model, base, 7)
    made = server_setup.site(base)
    made.versions.update()
    return made
