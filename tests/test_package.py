"""One import package, `thawline`: whatever else is called `pipeline` or `components`."""

from __future__ import annotations

import ast
import os
import pathlib
import subprocess
import sys
import zipfile

import pytest

from thawline import ROOT

SHADOWS = ('pipeline', 'components', 'schemas', 'commands', 'config')


def run(*arguments: str, cwd: pathlib.Path, path: pathlib.Path | None = None) -> str:
    environment = {**os.environ, 'PYTHONPATH': str(path) if path else ''}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def shadows(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder with packages that are called as our folders are, as TFX's template makes one."""
    for name in SHADOWS:
        (tmp_path / 'mine' / name).mkdir(parents=True)
        (tmp_path / 'mine' / name / '__init__.py').write_text('raise ImportError("not this one")')
    return tmp_path / 'mine'


@pytest.fixture(scope='module')
def wheel(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A built wheel's content, as an environment would hold it."""
    folder = tmp_path_factory.mktemp('wheel')
    checkout = folder / 'checkout'
    checkout.mkdir()
    for name in ('pipeline', 'components', 'schemas', 'setup.py', 'pyproject.toml', 'LICENSE'):
        (checkout / name).symlink_to(ROOT / name)
    (checkout / 'thawline').mkdir()
    for path in (ROOT / 'thawline').iterdir():
        if path.name != '__pycache__':
            (checkout / 'thawline' / path.name).symlink_to(path)
    code = 'from setuptools import build_meta; build_meta.build_wheel("dist")'
    run('-c', code, cwd=checkout)
    (file,) = (checkout / 'dist').glob('thawline-*.whl')
    zipfile.ZipFile(file).extractall(folder / 'installed')
    return folder / 'installed'


def test_packages_of_the_same_names_on_the_path_and_in_the_working_folder(shadows):
    assert 'thawline, version' in run('-m', 'thawline', '--version', cwd=shadows, path=shadows)
    (shadows / 'thawline.yaml').write_text('name: x\ndata: {source: images}\n')
    listed = run('-m', 'thawline', 'runs', cwd=shadows, path=shadows)
    assert 'no run yet' in listed


def test_a_wheel_holds_all_that_runs_need(wheel, tmp_path, shadows):
    code = (
        'import thawline, sys; from thawline.pipeline import graph; '
        'from thawline.pipeline.config import loading, project; '
        'import pathlib; found = graph.build(loading.load_demo()); '
        'print(pathlib.Path(thawline.__file__).parent.parent); '
        'print(len(found.components), found.components[0].type)'
    )
    (tmp_path / 'empty').mkdir()
    place, wired = run('-c', code, cwd=tmp_path / 'empty', path=wheel).splitlines()[-2:]
    assert place == str(wheel)
    assert int(wired.split()[0]) > 10
    assert wired.split()[1].startswith('thawline.components.')


def test_no_code_imports_its_folders_by_their_own_names():
    folders = {'pipeline', 'components', 'schemas'}
    wrong = set()
    for top in (*folders, 'tests', 'benchmarks'):
        for file in (ROOT / top).rglob('*.py'):
            for node in ast.walk(ast.parse(file.read_bytes())):
                if isinstance(node, ast.Import):
                    names = {alias.name.split('.')[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    names = {(node.module or '').split('.')[0]}
                else:
                    continue
                if names & folders:
                    wrong.add(str(file.relative_to(ROOT)))
    assert wrong == set()
