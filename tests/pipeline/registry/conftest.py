"""Models for the tests of the registry: made once, and loaded for real, by one warm process."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from tests.pipeline.registry import made_models
from tests.pipeline.registry.made_models import Models
from thawline.pipeline.registry import load_test


class WarmLoader(load_test.LoadTest):
    """Starts when it is first asked, and stays: TensorFlow takes seconds to import."""

    def __init__(self) -> None:
        self._is_started = False

    def load(self, folder: pathlib.Path) -> list[str]:
        if not self._is_started:
            super().__init__()
            self._is_started = True
        return super().load(folder)

    def __exit__(self, *error: object) -> None:
        del error

    def end(self) -> None:
        if self._is_started:
            super().__exit__(None, None, None)


@pytest.fixture(scope='session')
def template() -> pathlib.Path:
    return made_models.saved_model()


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
