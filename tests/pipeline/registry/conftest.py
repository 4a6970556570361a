"""Models for the tests of the registry: made once, and loaded for real, by one warm process."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from tests.pipeline.registry import made_models
from tests.pipeline.registry.made_models import Models
from thawline.components.shared import model_fingerprint
from thawline.components.shared.model_fingerprint import LocalFiles
from thawline.pipeline.registry import load_test

_ANSWERS: dict[str, str] = {}  # by digest of the files; the forks of mutmut inherit them


class WarmLoader(load_test.LoadTest):
    """Starts when it is first needed, and stays: TensorFlow takes seconds to import.

    What it was asked once it is not asked again, as in production.
    """

    def __init__(self) -> None:
        self._is_started = False

    def _ask(self, line: str) -> str:
        digest = model_fingerprint.fingerprint(LocalFiles(pathlib.Path(line))).digest
        if digest not in _ANSWERS:
            if not self._is_started:
                super().__init__()
                self._is_started = True
            _ANSWERS[digest] = super()._ask(line)
        return _ANSWERS[digest]

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
