"""Runs that are stopped: by data, by Ctrl-C, by a kill in the middle of training."""

from __future__ import annotations

import re
import signal
import time

import pytest

from tests.e2e.conftest import Project

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group('interruption')]

LONG = (
    '{augmentation: light, fine_tune: {blocks: 2, epochs: 6, patience: 6, learning_rate: 1.0e-5}}'
)


def wait_for(condition, seconds: float, what: str) -> None:
    """Returns as soon as `condition()` holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f'no {what} within {seconds} s'
        time.sleep(0.05)


def test_too_many_broken_files_stop_the_run(make_project):
    project = make_project(images=12)
    for number in range(6):
        (project.home / 'images' / 'moss' / f'broken_{number}.jpg').write_bytes(b'no image at all')
    stopped = project.thawline('run')
    assert stopped.returncode == 4, stopped.stdout + stopped.stderr
    assert re.search(r'36 images, 6 quarantined \(see \S+/quarantine\.csv\)', stopped.stdout)
    assert 'data_gate.max_quarantined' in stopped.stdout
    assert '✓ DataGate' not in stopped.stdout and '✗ DataGate' in stopped.stdout
    report = (project.artifact('ImageExampleGen', 'quarantine') / 'quarantine.csv').read_text()
    assert report.count('moss/broken_') == 6
    assert project.versions() == []


@pytest.fixture(scope='module')
def killed(make_project) -> Project:
    """A project whose first training was killed without warning after its second epoch."""
    project = make_project(training=LONG)
    process = project.start('run')
    state = project.output / 'checkpoints'
    stamps: set[int] = set()

    def two_epochs_done() -> bool:
        stamps.update(file.stat().st_mtime_ns for file in state.rglob('state.npz'))
        return len(stamps) >= 2 or process.poll() is not None

    wait_for(two_epochs_done, 300, 'second checkpoint')
    assert process.poll() is None, process.communicate()[0]
    process.kill()
    process.wait()
    return project


def test_killed_training_resumes(killed):
    log_count = len(list(killed.output.glob('logs/*.log')))
    resumed = killed.thawline('run')
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert re.search(r'^✓ Transform\s+cached', resumed.stdout, re.MULTILINE)
    assert len(killed.versions()) == 1
    logs = sorted(killed.output.glob('logs/*.log'))
    assert len(logs) == log_count + 1
    assert re.search(r'resuming after epoch [2-5]', logs[-1].read_text('utf-8'))
    assert not list((killed.output / 'checkpoints').rglob('*.npz'))


def test_interrupted_run_ends_cleanly_and_the_next_one_goes_on(make_project):
    project = make_project(training=LONG)
    process = project.start('run')
    checkpoints = project.output / 'checkpoints'
    wait_for(lambda: list(checkpoints.rglob('state.npz')) or process.poll(), 300, 'checkpoint')
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert 'stopped on request' in output and 'Traceback' not in output
    assert 'interrupted in Trainer' in project.thawline('runs').stdout
    going_on = project.thawline('run', '--to', 'Trainer')
    assert going_on.returncode == 0, going_on.stdout
    assert re.search(r'^✓ Transform\s+cached', going_on.stdout, re.MULTILINE)
    assert re.search(r'^✓ Trainer\s', going_on.stdout, re.MULTILINE)
