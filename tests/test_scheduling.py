"""Workers begin with the files that take longest."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

from tests import fork_server, scheduling
from thawline import ROOT

CONFTEST = """
from tests import scheduling
from tests.conftest import pytest_collection_modifyitems, pytest_xdist_make_scheduler

scheduling.LONGEST_FIRST = ('test_c.py', 'test_b.py')
scheduling._TOGETHER = {'test_a.py': 'test_b.py'}
"""


def test_files_that_take_longest_exist() -> None:
    for file in scheduling.LONGEST_FIRST:
        assert (ROOT / file).is_file(), f'{file} is gone'
    assert len(set(scheduling.LONGEST_FIRST)) == len(scheduling.LONGEST_FIRST)


@pytest.mark.parametrize(
    ('cores', 'gigabytes', 'workers'), [(2, 16, 3), (8, 64, 9), (2, 8, 2), (4, 2, 4)]
)
def test_a_worker_more_than_cores_where_memory_suffices(
    monkeypatch: pytest.MonkeyPatch, cores: int, gigabytes: int, workers: int
) -> None:
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: set(range(cores)))
    pages = {'SC_PAGE_SIZE': 4096, 'SC_PHYS_PAGES': gigabytes * 2**30 // 4096}
    monkeypatch.setattr(os, 'sysconf', pages.__getitem__)
    assert scheduling.workers() == workers


def test_workers_begin_with_them_and_files_that_go_together_are_one_workers(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / 'pytest.ini').write_text('[pytest]')
    (tmp_path / 'conftest.py').write_text(CONFTEST)
    for name, count in (('a', 1), ('b', 1), ('c', 1), ('d', 1), ('e', 3)):
        tests = ''.join(f'def test_{i}(): pass\n' for i in range(count))
        (tmp_path / f'test_{name}.py').write_text(tests)
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-v', '-n', '1', '--dist', 'loadfile', str(tmp_path)],
        cwd=tmp_path, env=fork_server.environment(), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    passed = [line.split()[-1] for line in done.stdout.splitlines() if 'PASSED' in line]
    assert [one.partition('::')[0] for one in passed] == [
        'test_c.py', 'test_b.py', 'test_a.py', *['test_e.py'] * 3, 'test_d.py'
    ]  # fmt: skip
