"""The rewrite of native modules, on the real ones: the originals come from the installer's cache.

An installer hard-links or copies what it unpacked, so that the file as shipped often still exists
in uv's cache. Where it doesn't, or where the modules are native, what needs it is skipped.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import os
import pathlib
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thawline import ROOT
from thawline.pipeline.environment import glibc_compat
from thawline.pipeline.environment.glibc_compat import CompatError, ModuleState
from thawline.pipeline.environment.native_builds import MODULES, REPLACEMENTS, NativeModule

each_module = pytest.mark.parametrize('module', MODULES, ids=lambda module: module.distribution)
old_glibc = pytest.mark.skipif(
    glibc_compat.glibc_version() >= glibc_compat.NATIVE_GLIBC,
    reason='the modules run as shipped on this glibc',
)


def digest(path: pathlib.Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def original_of(module: NativeModule, folder: pathlib.Path) -> pathlib.Path:
    """A copy, in `folder`, of the module as the wheel ships it for this interpreter."""
    installed = glibc_compat.installed_path(module)
    shipped = glibc_compat._shipped_sha256(module, installed)
    cache = pathlib.Path(
        os.environ.get('UV_CACHE_DIR')
        or pathlib.Path(os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache') / 'uv'
    )
    cached = cache.glob(f'archive-v*/*/{module.file}') if os.access(cache, os.R_OK) else []
    for path in [installed, *cached]:
        if path.is_file() and digest(path) == shipped:
            copy = folder / path.name
            copy.write_bytes(path.read_bytes())
            copy.chmod(0o755)
            return copy
    pytest.skip(f'the original of {installed.name} is not on this machine any more')


def loads(path: pathlib.Path) -> subprocess.CompletedProcess[str]:
    code = 'import ctypes, os, sys; ctypes.CDLL(sys.argv[1], os.RTLD_NOW)'
    return subprocess.run(
        [sys.executable, '-c', code, str(path)], capture_output=True, text=True, check=False
    )


@each_module
@old_glibc
def test_rewrites_the_original_into_one_that_loads(module, tmp_path):
    path = original_of(module, tmp_path)
    before = path.read_bytes()
    assert glibc_compat.inspect(module, path) is ModuleState.ORIGINAL
    assert loads(path).returncode != 0
    assert 'not found' in loads(path).stderr  # version `GLIBCXX_3.4.32' not found

    glibc_compat.rewrite(module, path)

    assert glibc_compat.inspect(module, path) is ModuleState.REWRITTEN
    assert digest(path) == module.builds[hashlib.sha256(before).hexdigest()]
    assert loads(path).returncode == 0
    assert path.stat().st_mode & 0o777 == 0o755
    assert [item.name for item in tmp_path.iterdir()] == [path.name]  # no draft left


@each_module
@old_glibc
def test_a_rewrite_leaves_other_links_to_the_file_alone(module, tmp_path):
    path = original_of(module, tmp_path)
    before = digest(path)
    cached = tmp_path / 'cache'
    cached.hardlink_to(path)
    glibc_compat.rewrite(module, path)
    assert digest(cached) == before
    assert digest(path) != before


@each_module
def test_nothing_but_symbol_names_and_versions_changes(module, tmp_path):
    lief = pytest.importorskip('lief')
    path = original_of(module, tmp_path)
    draft = tmp_path / 'draft'
    glibc_compat._write_replaced(path, draft, module.symbols)
    old, new = lief.ELF.parse(str(path)), lief.ELF.parse(str(draft))

    def code(binary):
        return {
            section.name: hashlib.sha256(section.content).hexdigest()
            for section in binary.sections
            if section.name in ('.text', '.rodata', '.data', '.init_array', '.eh_frame')
        }

    def names(binary):
        return sorted(str(symbol.name) for symbol in binary.dynamic_symbols)

    assert code(new) == code(old)
    assert len(code(old)) == 5
    expected = sorted(REPLACEMENTS.get(name, name) for name in names(old))
    assert names(new) == expected
    assert names(new) != names(old)


@each_module
def test_unexpected_symbols_are_refused_and_the_file_stays(module, tmp_path):
    path = original_of(module, tmp_path)
    before = digest(path)
    fewer = dataclasses.replace(module, symbols=frozenset(list(module.symbols)[1:]))
    with pytest.raises(CompatError, match='expected to import'):
        glibc_compat.rewrite(fewer, path)
    assert digest(path) == before
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


@each_module
def test_another_result_than_the_recorded_one_is_refused(module, tmp_path):
    path = original_of(module, tmp_path)
    before = digest(path)
    other = dataclasses.replace(module, builds={before: '0' * 64})
    with pytest.raises(CompatError, match='expected 0{64}'):
        glibc_compat.rewrite(other, path)
    assert digest(path) == before
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


@each_module
def test_a_changed_file_is_refused(module, tmp_path):
    path = tmp_path / 'module.so'
    path.write_bytes(glibc_compat.installed_path(module).read_bytes() + b'\0')
    with pytest.raises(CompatError, match='changed since') as caught:
        glibc_compat.inspect(module, path)
    assert digest(path) in str(caught.value)
    assert 'make clean setup' in str(caught.value)
    with pytest.raises(CompatError, match='not a known original'):
        glibc_compat.rewrite(module, path)


def test_an_unknown_build_of_the_wheel_is_told_from_a_changed_file(tmp_path, monkeypatch):
    file = tmp_path / 'toy.so'
    file.write_bytes(b'as shipped')
    shipped = base64.urlsafe_b64encode(hashlib.sha256(b'as shipped').digest()).decode().rstrip('=')
    information = tmp_path / 'toy_module-1.0.dist-info'
    information.mkdir()
    (information / 'METADATA').write_text('Metadata-Version: 2.1\nName: toy-module\nVersion: 1.0\n')
    (information / 'RECORD').write_text(f'toy.so,sha256={shipped},10\n')
    monkeypatch.syspath_prepend(tmp_path)
    toy = NativeModule('toy-module', '1.0', 'toy.so', frozenset(), builds={})
    assert glibc_compat.installed_path(toy) == file
    with pytest.raises(CompatError, match='not known to work'):
        glibc_compat.inspect(toy, file)
    file.write_bytes(b'changed')
    with pytest.raises(CompatError, match='changed since'):
        glibc_compat.inspect(toy, file)


@each_module
def test_the_installed_wheel_is_one_of_the_known_builds(module):
    path = glibc_compat.installed_path(module)
    assert glibc_compat._shipped_sha256(module, path) in module.builds


@each_module
def test_every_build_has_its_own_hashes(module):
    hashes = [*module.builds, *module.builds.values()]
    assert len(set(hashes)) == 2 * len(module.builds)
    assert all(len(value) == 64 and int(value, 16) for value in hashes)
    assert module.symbols <= set(REPLACEMENTS)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CompatError, match=r'none\.so: No such file'):
        glibc_compat.inspect(MODULES[0], tmp_path / 'none.so')


def test_something_else_than_elf_is_refused(tmp_path):
    path = tmp_path / 'module.so'
    path.write_text('not a shared object')
    module = dataclasses.replace(MODULES[0], builds={digest(path): '0' * 64})
    with pytest.raises(CompatError, match='not an ELF file'):
        glibc_compat.rewrite(module, path)
    assert path.read_text() == 'not a shared object'


def test_another_version_and_an_absent_package_are_refused():
    other = dataclasses.replace(MODULES[0], version='1.17.1')
    with pytest.raises(CompatError, match=r'Received: 1\.21\.0'):
        glibc_compat.installed_path(other)
    absent = dataclasses.replace(MODULES[0], distribution='no-such-package-at-all')
    with pytest.raises(CompatError, match='not installed'):
        glibc_compat.installed_path(absent)


@settings(deadline=None)
@given(minor=st.integers(0, 99))
def test_the_version_decides(minor):
    if minor < 34:
        with pytest.raises(CompatError, match=rf'Received: 2\.{minor}\.'):
            glibc_compat.needs_rewrite((2, minor))
    else:
        assert glibc_compat.needs_rewrite((2, minor)) is (minor < 39)


def test_a_second_run_finds_nothing_to_do():
    module = 'thawline.pipeline.environment.glibc_compat'
    before = {m.file: digest(glibc_compat.installed_path(m)) for m in MODULES}
    done = subprocess.run(
        [sys.executable, '-X', 'importtime', '-m', module],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0
    assert done.stdout.count('(nothing to do)') == len(MODULES)
    assert {m.file: digest(glibc_compat.installed_path(m)) for m in MODULES} == before
    # It has to run before anything heavy can be imported; idle it needs not even LIEF.
    imported = {line.split('|')[-1].strip().split('.')[0] for line in done.stderr.splitlines()}
    assert not imported & {'tensorflow', 'tfx', 'numpy', 'ml_metadata', 'lief'}
