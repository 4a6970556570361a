"""The package's declaration, the lock and the make targets agree with each other."""

from __future__ import annotations

import ast
import importlib.metadata
import itertools
import pathlib
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from thawline import ROOT, __version__
from thawline.pipeline.environment import lockfile
from thawline.pipeline.environment.native_builds import MODULES

LOCK = ROOT / 'requirements.lock'
pytestmark = pytest.mark.skipif(not LOCK.is_file(), reason='not run from a checkout')


def declared() -> dict[str, object]:
    """The literal arguments of setup() in setup.py."""
    tree = ast.parse((ROOT / 'setup.py').read_text())
    call = next(
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, 'id', '') == 'setup'
    )
    return {
        item.arg: ast.literal_eval(item.value)
        for item in call.keywords
        if item.arg and item.arg != 'packages'
    }


def test_version_is_stated_once():
    assert declared()['version'] == __version__


def test_every_declared_requirement_is_pinned_within_its_bounds():
    facts = declared()
    wanted = [*facts['install_requires'], *itertools.chain(*facts['extras_require'].values())]
    pins = lockfile.read_lock(LOCK.read_text())
    for requirement in map(Requirement, wanted):
        pin = pins[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(pin), f'{requirement} but locked {pin}'


def imports_of(source: str) -> set[str]:
    """The top-level names of all absolute imports, wherever they stand."""
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names.append(node.module)
    return {name.split('.')[0] for name in names}


# Runs where Airflow is installed, in an environment of its own.
ELSEWHERE = ROOT / 'pipeline/orchestrators/airflow/dag.py'


def test_every_import_is_a_declared_requirement():
    facts = declared()
    wanted = [*facts['install_requires'], *itertools.chain(*facts['extras_require'].values())]
    stated = {canonicalize_name(Requirement(item).name) for item in wanted}
    folders = ('pipeline', 'components', 'schemas', 'benchmarks', 'tests')
    own = {'thawline', 'benchmarks', 'tests'}
    known = importlib.metadata.packages_distributions()
    undeclared = {
        f'{path.relative_to(ROOT)}: {name}'
        for folder in folders
        for path in (ROOT / folder).rglob('*.py')
        if path != ELSEWHERE
        for name in imports_of(path.read_text()) - own - sys.stdlib_module_names
        if not stated & {canonicalize_name(item) for item in known.get(name, [])}
    }
    assert undeclared == set()


def test_every_pin_carries_hashes_and_no_place_to_fetch_from():
    text = LOCK.read_text()
    entries = re.split(r'^(?=[a-zA-Z0-9])', re.sub(r'^\s*#.*\n', '', text, flags=re.M), flags=re.M)
    entries = [entry for entry in entries if entry.strip()]
    assert len(entries) > 150
    assert all(re.search(r'--hash=sha256:[0-9a-f]{64}', entry) for entry in entries)
    assert '://' not in text
    assert '--index-url' not in text


def test_the_rewritten_modules_are_those_of_the_lock():
    pins = lockfile.read_lock(LOCK.read_text())
    assert {m.distribution: m.version for m in MODULES} == {
        m.distribution: pins[m.distribution] for m in MODULES
    }
    assert pins['lief'] == '1.0.0'  # the recorded results are this version's output


def test_tools_are_configured_for_the_oldest_python():
    tools = tomllib.loads((ROOT / 'pyproject.toml').read_text())['tool']
    assert declared()['python_requires'] == '>=3.11,<3.14'
    assert tools['ruff']['target-version'] == 'py311'
    assert tools['mypy']['python_version'] == '3.11'


def test_help_lists_every_target():
    shown = subprocess.run(['make'], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    phony = re.search(r'^\.PHONY: (.*)$', (ROOT / 'Makefile').read_text(), re.M).group(1).split()
    assert sorted(phony) == sorted(re.findall(r'^  make (\S+) ', shown, re.M))


def test_data_files_travel_in_the_wheel(tmp_path):
    """What the code reads at run time is in an installed wheel too."""
    copy = tmp_path / 'checkout'
    copy.mkdir()
    for name in ('setup.py', 'pyproject.toml', 'LICENSE'):
        shutil.copy(ROOT / name, copy)
    for name in ('pipeline', 'components', 'schemas', 'thawline'):
        shutil.copytree(
            ROOT / name, copy / name, symlinks=True, ignore=shutil.ignore_patterns('__pycache__')
        )
    done = subprocess.run(
        [
            sys.executable,
            '-c',
            'from setuptools import build_meta; build_meta.build_wheel("dist")',
        ],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = (copy / 'dist').glob('thawline-*.whl')
    held = set(zipfile.ZipFile(wheel).namelist())
    # Tools, demos among them, are for checkouts.
    wanted = {
        f'thawline/{path.relative_to(copy)}'
        for folder in ('pipeline', 'components', 'schemas')
        for path in (copy / folder).rglob('*.*')
        if path.is_file() and 'tools' not in path.parts and path.suffix != '.sh'
    }
    assert wanted
    assert wanted | {'thawline/__main__.py', 'thawline/py.typed'} <= held
    assert all(name.startswith('thawline') for name in held)
    assert not any('tools' in name for name in held)


def test_setup_says_what_is_missing_when_the_interpreter_does_not_suit(tmp_path):
    copy = tmp_path / 'checkout'
    shutil.copytree(ROOT / 'pipeline/environment', copy / 'pipeline/environment')
    shutil.copy(LOCK, copy)
    other = tmp_path / 'python'
    other.write_text('#!/bin/sh\nexit 1\n')
    other.chmod(0o755)
    uv = shutil.which('uv', path=f'{pathlib.Path(sys.executable).parent}')
    if uv is None:
        pytest.skip('the environment was not built from the lock: no uv in it')
    done = subprocess.run(
        ['bash', str(copy / 'pipeline/environment/environment.sh'), '.venv/.complete'],
        env={
            'PATH': f'{pathlib.Path(uv).parent}:/usr/bin:/bin',
            'PYTHON': str(other),
            'HOME': str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f'PYTHON={other}' in done.stderr
    assert '3.11' in done.stderr
    assert not (copy / '.venv').exists()
