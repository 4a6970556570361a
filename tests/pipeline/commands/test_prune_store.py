"""`thawline prune --store`: asks, deletes the content store, and touches nothing else."""

from __future__ import annotations

import pathlib

import click.testing
import pytest

from thawline.components.shared.content_store import Records
from thawline.pipeline.commands import prune
from thawline.pipeline.config import loading

PROJECT = 'name: p\ndata: {source: images, store: {gigabytes: 0.5}}\n'


@pytest.fixture
def home(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / 'thawline.yaml').write_text(PROJECT)
    records = Records(loading.load_project(tmp_path).content_store.namespace('pixels', {}))
    records.put(b'k' * 16, b'v' * 2_000_000)
    records.publish()
    records.close()
    return tmp_path


def run(home: pathlib.Path, *options: str, answer: str = '') -> click.testing.Result:
    runner = click.testing.CliRunner()
    return runner.invoke(prune.command, [str(home), '--store', *options], input=answer)


def test_deletes_it_when_confirmed(home: pathlib.Path) -> None:
    folder = loading.load_project(home).content_store.folder
    done = run(home, '--dry-run')
    assert done.exit_code == 0 and folder.is_dir()
    assert '2.0 MB of at most 500.0 MB' in done.output and 'pixels-' in done.output
    assert run(home, answer='n\n').exit_code == 1 and folder.is_dir()
    assert run(home, '--yes').exit_code == 0
    assert not folder.exists() and folder.parent.is_dir()
    assert '0.0 MB of at most' in run(home, '--yes').output
