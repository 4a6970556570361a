"""Whoever watches a run hears that Spark has no worker for it, and when it has."""

from __future__ import annotations

import pathlib
import time

import pytest

from thawline.components.shared import progress
from thawline.pipeline.engines import spark_wait

LINE = 'WARN TaskSchedulerImpl: Initial job has not accepted any resources; check your cluster UI\n'


@pytest.fixture
def heard(monkeypatch):
    """Remarks on the progress, with looks at the log that follow each other quickly."""
    monkeypatch.setattr(spark_wait, '_POLL', 0.01)
    monkeypatch.setattr(spark_wait, '_OVER_AFTER', 0.1)
    remarks: list[str] = []
    with progress.listening(lambda state: remarks.append(state.remark)):
        yield remarks


def until(remarks: list[str], remark: str) -> None:
    deadline = time.monotonic() + 10
    while not (remarks and remark in remarks[-1]):
        assert time.monotonic() < deadline, remarks
        time.sleep(0.01)


def test_it_is_told_while_it_is_so(tmp_path, heard):
    log = tmp_path / 'job_server.log'
    log.write_text(LINE)  # of an earlier node
    with spark_wait.report_waiting(log, 'spark, 2 workers'):
        time.sleep(0.1)
        assert not heard
        with log.open('a') as file:
            file.write(LINE)
        until(heard, 'spark, 2 workers; waiting for a free Spark worker')
        until(heard, 'spark, 2 workers')
        time.sleep(0.3)
        assert heard[-1] == 'spark, 2 workers'


def test_without_a_log_there_is_nothing_to_tell(heard):
    with spark_wait.report_waiting(None, 'flink, 2 workers'):
        pass
    assert heard == []


def test_it_ends_with_the_node(tmp_path: pathlib.Path, heard):
    log = tmp_path / 'job_server.log'
    log.touch()
    with pytest.raises(KeyError), spark_wait.report_waiting(log, 'spark, 1 worker'):
        raise KeyError
    log.write_text(LINE)
    time.sleep(0.1)
    assert heard == []
