"""Runs that are stopped: by data, by Ctrl-C, by a kill in the middle of training."""

from __future__ import annotations

import re
import signal
import time

import pytest

from tests.e2e.conftest import Project

pytestmark = pytest.mark.e2e

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
    said = stopped.stdout
    assert re.search(r'36 images, 6 quarantined: 6 x .* \(see \S+/quarantine\.csv\)', said)
    assert 'data_gate.max_quarantined' in stopped.stdout
    assert '✓ DataGate' not in stopped.stdout and '✗ DataGate' in stopped.stdout
    report = (project.artifact('ImageExampleGen', 'quarantine') / 'quarantine.csv').read_text()
    assert report.count('moss/broken_') == 6
    assert project.versions() == []


def epochs_done(project: Project) -> list[int]:
    """When the state of an unfinished training was last written, as a list of at most one."""
    return [file.stat().st_mtime_ns for file in project.output.glob('checkpoints/*/state.npz')]


def test_interrupted_then_killed_training_is_finished_by_the_next_run(make_project):
    project = make_project(training=LONG)

    process = project.start('run')
    wait_for(lambda: epochs_done(project) or process.poll() is not None, 300, 'first epoch')
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert 'stopped on request' in output and 'Traceback' not in output
    assert 'interrupted in Trainer' in project.thawline('runs').stdout
    before = epochs_done(project)
    assert before, 'the state of the finished epoch is kept'

    process = project.start('run')
    wait_for(lambda: epochs_done(project) > before or process.poll() is not None, 300, 'next epoch')
    assert process.poll() is None, process.communicate()[0]
    process.kill()
    process.communicate()
    assert 'killed in Trainer' in project.thawline('runs').stdout

    finished = project.thawline('run')
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert re.search(r'^✓ Transform\s+cached', finished.stdout, re.MULTILINE)
    assert len(project.versions()) == 1
    resumed = [
        re.search(r'resuming after epoch (\d) of 6', log.read_text('utf-8'))
        for log in sorted(project.output.glob('logs/*.log'))
    ]
    assert resumed[0] is None
    assert resumed[1] and resumed[2] and int(resumed[2][1]) > int(resumed[1][1])
    assert not epochs_done(project), 'nothing is left after a good training'
