"""The doctor's findings, on real files, processes and packages."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thawline import ROOT
from thawline.pipeline.commands import doctor
from thawline.pipeline.environment import checks, lockfile
from thawline.pipeline.environment.checks import GIB, Check, Status


def test_the_whole_examination_is_quick_and_names_every_check(tmp_path):
    start = time.monotonic()
    todo = doctor.checks_of(tmp_path)
    results = checks.run(todo)
    assert time.monotonic() - start < 20  # seconds; 1.5 when idle, other tests run beside it
    assert [result.name for result in results] == [check.name for check in todo]
    native = {'TensorFlow', 'ML Metadata', 'TensorFlow Data Validation', 'glibc'}
    found = {result.name: result for result in results}
    assert {found[name].status for name in native} == {Status.OK}
    assert all(result.remedy for result in results if result.status is Status.FAIL)


def test_importing_it_imports_nothing_heavy():
    code = (
        'import pathlib, sys; from thawline.pipeline.environment import checks; '
        'from thawline.pipeline.commands import doctor; '
        'checks.run(doctor.checks_of(pathlib.Path.cwd())); '
        'print(sorted({"tensorflow", "tfx", "keras", "apache_beam"} & set(sys.modules)))'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == '[]'


@pytest.mark.parametrize(
    ('version', 'status'),
    [
        ((3, 10), Status.FAIL),
        ((3, 11), Status.OK),
        ((3, 13), Status.OK),
        ((3, 14), Status.FAIL),
    ],
)
def test_python(version, status):
    assert checks.check_python(version).status is status


LOCK = """\
# made by a tool
absl-py==1.4.0 \\
    --hash=sha256:00 \\
    --hash=sha256:11
    # via tfx
Zope.Interface==8.1 ; sys_platform == 'linux' \\
    --hash=sha256:22
pywin32==311 ; sys_platform == 'win32' \\
    --hash=sha256:33
"""


def test_lock_is_read_with_markers_and_normalised_names():
    assert lockfile.read_lock(LOCK) == {'absl-py': '1.4.0', 'zope-interface': '8.1'}


@pytest.mark.parametrize(
    ('installed', 'status', 'words'),
    [
        ({'absl-py': '1.4.0', 'zope-interface': '8.1', 'more': '1'}, Status.OK, '2 match the lock'),
        ({'absl-py': '1.4.0'}, Status.FAIL, 'missing: zope-interface'),
        ({'absl-py': '2', 'zope-interface': '8.1'}, Status.WARN, 'absl-py 2 instead of 1.4.0'),
    ],
)
def test_packages_against_the_lock(tmp_path, installed, status, words):
    lock = tmp_path / 'requirements.lock'
    lock.write_text(LOCK)
    result = checks.check_packages(lock, installed)
    assert result.status is status
    assert words in result.detail
    assert bool(result.remedy) is (status is not Status.OK)


def test_an_absent_lock_is_a_warning(tmp_path):
    result = checks.check_packages(tmp_path / 'requirements.lock')
    assert result.status is Status.WARN
    assert str(tmp_path) in result.detail


@settings(deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r'[a-z]([a-z0-9-]{0,8}[a-z0-9])?', fullmatch=True).filter(
            lambda name: '--' not in name
        ),
        st.from_regex(r'[0-9]{1,4}(\.[0-9]{1,4}){0,3}', fullmatch=True),
    )
)
def test_what_is_written_as_a_lock_is_read_back(pins):
    text = ''.join(
        f'{name}=={version} \\\n    --hash=sha256:{"0" * 64}\n    # via thawline\n'
        for name, version in pins.items()
    )
    assert lockfile.read_lock(text) == pins


@pytest.mark.parametrize(
    ('code', 'status', 'words'),
    [
        ('pass', Status.OK, 'loads'),
        ('raise ImportError("undefined symbol: f")', Status.FAIL, 'undefined symbol: f'),
        ('import os, signal; os.kill(os.getpid(), signal.SIGILL)', Status.FAIL, 'AVX'),
        ('import os, signal; os.kill(os.getpid(), signal.SIGSEGV)', Status.FAIL, 'exit code -11'),
    ],
)
def test_a_native_module_that_crashes_is_a_finding(code, status, words):
    result = checks.check_loads('Module', (code,))
    assert result.status is status
    assert words in result.detail


def test_a_native_module_that_hangs_is_a_finding():
    result = checks.check_loads('Module', ('import time; time.sleep(60)',), seconds=0.3)
    assert result.status is Status.FAIL
    assert '0.3 s' in result.detail


def system(root: pathlib.Path, available: int, limit: str = 'max', used: int = 0) -> pathlib.Path:
    """A root folder as a kernel with so many bytes shows it."""
    (root / 'proc').mkdir()
    (root / 'proc/meminfo').write_text(
        f'MemTotal: 99999999 kB\nMemAvailable:   {available // 1024} kB\n'
    )
    group = root / 'sys/fs/cgroup'
    group.mkdir(parents=True)
    (group / 'memory.max').write_text(f'{limit}\n')
    (group / 'memory.current').write_text(f'{used}\n')
    return root


@pytest.mark.parametrize(
    ('available', 'limit', 'used', 'status'),
    [
        (8 * GIB, 'max', 0, Status.OK),
        (3 * GIB, 'max', 0, Status.WARN),
        (1 * GIB, 'max', 0, Status.FAIL),
        (64 * GIB, str(4 * GIB), 3 * GIB, Status.FAIL),  # the container's limit
        (64 * GIB, str(4 * GIB), 5 * GIB, Status.FAIL),
        (3 * GIB, str(64 * GIB), 0, Status.WARN),
    ],
)
def test_memory(tmp_path, available, limit, used, status):
    assert checks.check_memory(system(tmp_path, available, limit, used)).status is status


def test_unknown_memory_is_a_warning(tmp_path):
    assert checks.check_memory(tmp_path).status is Status.WARN


def test_a_folder_that_will_be_made_is_judged_by_its_parent(tmp_path):
    folder = tmp_path / 'not' / 'yet'
    assert checks.check_writable(folder).status is Status.OK
    assert 'free at' in checks.check_disk(folder).detail
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not pathlib.Path('/proc/self').is_dir(), reason='needs a Linux proc folder')
def test_a_folder_that_refuses_files_is_a_failure():
    result = checks.check_writable(pathlib.Path('/proc/self'))  # refuses even root
    assert result.status is Status.FAIL
    assert '/proc/self' in result.detail


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write anywhere')
def test_a_read_only_folder_is_a_failure(tmp_path):
    tmp_path.chmod(0o500)
    assert checks.check_writable(tmp_path).status is Status.FAIL


def test_weights_names_the_default_base():
    assert 'efficientnet_lite0' in checks.check_weights().detail


def test_a_check_that_breaks_is_a_failed_one():
    def break_down() -> checks.Result:
        raise RuntimeError('no such luck')

    result = checks._run_one(Check('Luck', break_down))
    assert (result.name, result.status) == ('Luck', Status.FAIL)
    assert 'no such luck' in result.detail
