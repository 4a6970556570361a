"""Every command prints where the terminal or the locale knows no more than ASCII."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess

import pytest

from tests import fork_server
from tests.components.ingestion.images import class_folders
from tests.made_runs import Runs, rows
from thawline import ROOT

ASCII = {'PYTHONIOENCODING': 'ascii'}
NAME = 'größe'
UTF_8 = None  # a document

# Arguments, and what standard output has in place of what ASCII has no sign for.
COMMANDS: dict[str, tuple[list[str], int, str | None]] = {
    'init': (['init', 'new', '--data', 'bilder'], 0, 'wrote new'),
    'doctor': (['doctor'], -1, '\nok '),
    'runs': (['runs'], 0, 'r1'),
    'models': (['models'], 0, ''),
    'history': (['history'], 0, ''),
    'report': (['report', 'r1', '--format', 'md'], 0, UTF_8),
    'report as JSON': (['report', 'r1', '--format', 'json'], 0, UTF_8),
    'report to a file': (['report', 'r1', '--out', f'{NAME}.md'], 0, 'gr\\xf6\\xdfe.md'),
    'compare': (['compare', 'r1', 'r2'], 0, 'gr\\xf6\\xdfe'),
    'compare as Markdown': (['compare', 'r1', 'r2', '--format', 'md'], 0, UTF_8),
    'metadata': (['metadata', 'check'], 0, 'gr\\xf6\\xdfe'),
    'notify': (['notify'], 2, ''),
    'schema': (['schema', 'diff'], 2, ''),
    'explain': (['explain', NAME], 2, ''),
    'promote': (['promote', NAME], 2, ''),
    'rollback': (['rollback', '--yes'], 2, ''),
    'predict': (['predict', f'{NAME}.jpg', '--to', 'x.csv'], 2, ''),
    'no project': (['run', NAME], 2, ''),
    'run': (['run'], 4, 'gr\\xf6\\xdfe'),
    'help': (['--help'], 0, 'thawline'),
}


@pytest.fixture(scope='module')
def home(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A project in a folder, with classes and images, all named in German."""
    home = tmp_path_factory.mktemp('x') / NAME
    home.mkdir()
    runs = Runs(home)
    for run in ('r1', 'r2'):
        runs.add(run, rows(40, 2), classes=('ant', NAME))
    class_folders(home / 'images', {NAME: 2})
    class_folders(home / 'bilder', {NAME: 3, 'käfer': 3})
    return home


def run(
    home: pathlib.Path, arguments: list[str], variables: dict[str, str], fresh: bool = False
) -> tuple[int, str, str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(('LC_', 'LANG'))
    }
    done = subprocess.run(
        [*(fork_server.fresh_command() if fresh else fork_server.command()), *arguments],
        cwd=home, capture_output=True, timeout=300,
        env={**environment, 'PYTHONPATH': str(ROOT), 'COLUMNS': '160', **variables},
    )  # fmt: skip
    return done.returncode, done.stdout.decode('utf-8'), done.stderr.decode('ascii')


@pytest.mark.parametrize('name', COMMANDS)
def test_commands(home: pathlib.Path, name: str) -> None:
    arguments, code, expected = COMMANDS[name]
    ended, printed, errors = run(home, arguments, ASCII)
    assert 'Traceback' not in errors + printed and 'UnicodeEncodeError' not in errors
    assert ended == code or code == -1, (ended, printed, errors)
    if expected is UTF_8:
        assert not printed.isascii()
    else:
        assert printed.isascii() and expected in printed
    if name.endswith('as JSON'):
        json.loads(printed)
    if code == 2:
        assert 'error: ' in errors


@pytest.mark.parametrize('name', ['doctor', 'runs', 'compare', 'run'])
def test_locale_without_a_language(home: pathlib.Path, name: str) -> None:
    arguments, code, _ = COMMANDS[name]
    ended, printed, errors = run(home, arguments, {'LC_ALL': 'C'}, fresh=True)
    assert 'Traceback' not in errors + printed
    assert ended == code or code == -1, (ended, printed, errors)


def test_files_stay_utf_8(home: pathlib.Path) -> None:
    assert run(home, ['report', 'r1', '--out', 'report.md'], ASCII)[0] == 0
    assert NAME in (home / 'report.md').read_text('utf-8')


@pytest.mark.parametrize(
    'arguments', [[NAME], ['runs', f'--{NAME}'], ['init', 'x', '--data', 'y', '--layout', NAME]]
)
def test_usage_errors(home: pathlib.Path, arguments: list[str]) -> None:
    ended, _, errors = run(home, arguments, ASCII)
    assert ended == 2 and errors.startswith('Usage: ')
    assert 'gr\\xf6\\xdfe' in errors and 'Traceback' not in errors
