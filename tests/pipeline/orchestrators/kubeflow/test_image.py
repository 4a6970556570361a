"""The Dockerfile and what it is given; CI has no container engine to build it."""

import fnmatch
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from thawline import ROOT

DOCKERFILE = (ROOT / 'Dockerfile').read_text('utf-8')
GLIBC_2_39 = ('trixie', 'noble')  # Debian 13 and Ubuntu 24.04, the first that have it


def instructions(name: str) -> list[str]:
    joined = DOCKERFILE.replace('\\\n', ' ')
    return re.findall(rf'^{name} +(.*)$', joined, re.MULTILINE)


def test_hadolint_has_nothing_to_say():
    beside = pathlib.Path(sys.executable).with_name('hadolint')
    hadolint = str(beside) if beside.is_file() else shutil.which('hadolint')
    if hadolint is None:
        pytest.skip('hadolint is not installed')
    ended = subprocess.run(
        [hadolint, '--failure-threshold', 'style', str(ROOT / 'Dockerfile')],
        capture_output=True, text=True,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_containers_do_not_run_as_root():
    user, _, _ = instructions('USER')[-1].partition(':')
    assert int(user) > 0, 'a number, so that Kubernetes can check it'


def test_the_base_has_the_glibc_that_wheels_ask_for():
    (base,) = [one for one in instructions('ARG') if one.startswith('PYTHON=')]
    assert base.endswith(GLIBC_2_39)
    assert all('${PYTHON}' in one for one in instructions('FROM'))


def test_all_that_is_copied_exists_and_is_sent_to_the_builder():
    ignored = (ROOT / '.dockerignore').read_text('utf-8').split('\n')
    sent = [line[1:] for line in ignored if line.startswith('!')]
    copied = [
        path for line in instructions('COPY') if '--from' not in line for path in line.split()[:-1]
    ]
    assert sorted(copied) == sorted(sent)
    assert all((ROOT / path).exists() for path in copied)


def test_no_part_of_a_run_is_sent_to_the_builder():
    lines = (ROOT / '.dockerignore').read_text('utf-8').split('\n')
    assert lines[1] == '*'
    assert not fnmatch.filter([line for line in lines if line.startswith('!')], '!*runs*')


def test_the_extras_exist():
    (extras,) = [one for one in instructions('ARG') if one.startswith('EXTRAS=')]
    setup = (ROOT / 'setup.py').read_text('utf-8')
    for extra in extras.removeprefix('EXTRAS=').split(','):
        assert f"'{extra}': [" in setup
