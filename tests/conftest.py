"""Settings of every test run, and what is dear to make, made once."""

from __future__ import annotations

import gc
import os
import pathlib
import re
import sys
from typing import TYPE_CHECKING

import hypothesis
import pytest

from tests import scheduling

if TYPE_CHECKING:
    from xdist.remote import Producer

    from tests.components.transformed import Transformed

# Names a file of reasons for which tests may be skipped.
_SKIPS = 'THAWLINE_SKIPS'

# Imports make millions of objects and drop few; `pytest_collection_finish` enables it again.
gc.disable()
# Before anything imports TensorFlow.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

# Timings vary too much on a busy machine for a deadline to say anything about the code.
hypothesis.settings.register_profile('thawline', deadline=None, derandomize=True)
hypothesis.settings.load_profile('thawline')


@pytest.fixture(scope='session')
def transformed(tmp_path_factory: pytest.TempPathFactory) -> Transformed:
    """Transform's real output for a handful of tiny images; all workers share it."""
    from tests.components import transformed as making  # TensorFlow only for those who ask

    folder = tmp_path_factory.getbasetemp()
    return making.transform_once(
        (folder.parent if 'PYTEST_XDIST_WORKER' in os.environ else folder) / 'transformed'
    )


def pytest_xdist_auto_num_workers() -> int:
    """For `-n auto`."""
    return scheduling.workers()


def pytest_xdist_make_scheduler(
    config: pytest.Config, log: Producer
) -> scheduling.Scheduling | None:
    """For `--dist loadfile`."""
    return scheduling.Scheduling(config, log) if config.getoption('dist') == 'loadfile' else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In workers of pytest-xdist alone."""
    if hasattr(config, 'workerinput'):
        scheduling.sort_longest_first(items)


def pytest_collection_finish() -> None:
    """Lets Beam remember, and keeps what imports made out of every later garbage collection.

    Building and tracing a model makes and drops so many objects that collections would come every
    few milliseconds, and find next to nothing.
    """
    if 'apache_beam' in sys.modules:
        # As in every run; tests of components do not import what runs them.
        from thawline.pipeline.engines import beam_memory

        beam_memory.remember()
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fails where a test was skipped for a reason that is not in the file `THAWLINE_SKIPS`."""
    reporter = session.config.pluginmanager.get_plugin('terminalreporter')
    if _SKIPS not in os.environ or reporter is None:  # there is none in a worker of pytest-xdist
        return
    lines = pathlib.Path(os.environ[_SKIPS]).read_text('utf-8').splitlines()
    known = [line for line in lines if line and not line.startswith('#')]
    reasons = {
        report.longrepr[2].removeprefix('Skipped: ') for report in reporter.stats.get('skipped', ())
    }
    unknown = sorted(r for r in reasons if not any(re.fullmatch(line, r) for line in known))
    for reason in unknown:
        reporter.write_line(f'skipped for a reason that is not in {os.environ[_SKIPS]}: {reason}')
    if unknown and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
