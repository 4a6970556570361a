"""`thawline serve` and a version whose files changed after it was promoted."""

from __future__ import annotations

import os
import pathlib
import shutil

import click.testing
import pytest

from tests.pipeline.commands.test_serve import programs
from tests.pipeline.registry.made_models import Models
from tests.pipeline.server.test_python_server import Served
from tests.pipeline.server.test_python_server import started as started
from thawline.components.shared.model_fingerprint import LocalFiles
from thawline.pipeline import cli
from thawline.pipeline.registry import promotion
from thawline.pipeline.registry.ledger import PRODUCTION, PROMOTE
from thawline.pipeline.registry.promotion import DeploymentPlan

BINARY = '#!/bin/sh\necho "serves $*"\n'


class Production:
    """A project with versions of one real model in production."""

    def __init__(self, home: pathlib.Path, model: pathlib.Path) -> None:
        home.mkdir()
        self.models = Models(home, model)
        self.folder, self._hidden = self.models.production, home / 'hidden'
        artifact = self.models.output / 'artifacts' / 'r1' / 'model'
        shutil.copytree(model, artifact / 'Format-Serving')
        trained = self.models.record(
            'r1', 'Trainer', {'examples': self.models.images['examples']},
            {'model': ('Model', {'uri': artifact})},
        )  # fmt: skip
        self._model, self._source = trained['model'], LocalFiles(artifact / 'Format-Serving')

    def promote(self) -> pathlib.Path:
        """One more version; returns its folder."""
        registry = self.models.registry()
        plan = DeploymentPlan(
            PROMOTE, PRODUCTION, self._model, self._source, registry.current(PRODUCTION)
        )
        done = promotion.deploy(registry, plan, lambda what, done, total: None)
        return self.folder / str(done.version)

    def hide(self, version: pathlib.Path) -> pathlib.Path:
        """Takes a version away from servers, as if it were not there yet."""
        return version.rename(self.folder / f'.incoming-{version.name}')


@pytest.fixture
def production(tmp_path: pathlib.Path, served_model: pathlib.Path) -> Production:
    return Production(tmp_path / 'project', served_model)


def change_a_byte(version: pathlib.Path) -> None:
    file = version / 'saved_model.pb'
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_changed_version_is_not_served_at_the_start_nor_later(
    production: Production, tmp_path: pathlib.Path, started: list[Served]
) -> None:
    first, second, third, fourth = (production.promote() for _ in range(4))
    change_a_byte(second)
    hidden = production.hide(third), production.hide(fourth)
    (hidden[0] / 'assets.extra' / 'thawline.json').unlink()
    served = Served(production.folder, tmp_path / 'log', str(production.models.home))
    started.append(served)
    served.wait_for(int(first.name))
    assert f'version {second.name} cannot be loaded' in served.said()
    assert f'{second} is no longer' in served.said()
    assert 'changed: saved_model.pb; ' in served.said() and 'thawline promote' in served.said()

    hidden[0].rename(third)
    served._until(lambda: f'version {third.name} cannot be loaded' in served.said())
    assert 'missing: assets.extra/thawline.json; ' in served.said()
    assert served.get('/health') == (200, {'live': True, 'ready': True, 'version': 1})

    hidden[1].rename(fourth)
    served.wait_for(int(fourth.name))
    assert 'note: ' not in served.said()


def test_version_without_a_record_is_served_and_it_is_said(
    production: Production, served_model: pathlib.Path, tmp_path: pathlib.Path,
    started: list[Served],
) -> None:  # fmt: skip
    version = production.folder / '7'
    shutil.copytree(served_model, version)
    served = Served(production.folder, tmp_path / 'log', str(production.models.home))
    started.append(served)
    served.wait_for(7)
    assert f'note: no record of the files in {version}' in served.said()


def test_changed_version_is_not_handed_to_tensorflow_serving(
    production: Production, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    folder = programs(tmp_path / 'bin', tensorflow_model_server=BINARY)
    monkeypatch.setenv('PATH', os.pathsep.join((folder, os.environ['PATH'])))

    def serve() -> click.testing.Result:
        home = str(production.models.home)
        return click.testing.CliRunner().invoke(cli.main, ['serve', home, '--port', '0'])

    version = production.promote()
    assert serve().exit_code == 0
    assert f'--model_base_path={production.folder}' in capfd.readouterr().out
    (version / 'more.txt').write_text('')
    done = serve()
    assert done.exit_code == 2 and f'{version} is no longer' in done.stderr
    assert 'added: more.txt; ' in done.stderr
    assert 'serves' not in capfd.readouterr().out
