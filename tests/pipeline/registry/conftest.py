"""Models for the tests of the registry: made once, and loaded for real, by one warm process."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from tests.pipeline.registry import made_models
from tests.pipeline.registry.made_models import Models
from thawline.pipeline.registry import load_test


class WarmLoader(load_test.LoadTest):
    """Stays when a command is done with it: TensorFlow takes seconds to import."""

    def __exit__(self, *error: object) -> None:
        del error

    def end(self) -> None:
        super().__exit__(None, None, None)


@pytest.fixture(scope='session')
def template(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return made_models.saved_model(tmp_path_factory.mktemp('template') / 'model')


@pytest.fixture(scope='session')
def warm_loader() -> Iterator[WarmLoader]:
    loader = WarmLoader()
    yield loader
    loader.end()


@pytest.fixture
def loads(warm_loader: WarmLoader, monkeypatch: pytest.MonkeyPatch) -> WarmLoader:
    """Commands in this process load models in the warm one."""
    monkeypatch.setattr(load_test, 'LoadTest', lambda: warm_loader)
    return warm_loader


@pytest.fixture
def models(tmp_path: pathlib.Path, template: pathlib.Path, loads: WarmLoader) -> Models:
    del loads
    return Models(tmp_path, template)
