"""Commands that are told: real ones, good, bad, absent, deaf and slow."""

from __future__ import annotations

import json
import pathlib
import sys
import threading
import time

import pytest

from tests.pipeline.notifications.conftest import target
from thawline.pipeline.notifications import body, command, delivery
from thawline.pipeline.notifications import details as gather
from thawline.pipeline.notifications.body import Notification
from thawline.pipeline.notifications.delivery import Told
from thawline.pipeline.notifications.targets import Command
from thawline.pipeline.terminal.exit_codes import Outcome


def tell(
    told: Notification, folder: pathlib.Path, *arguments: str, timeout: float = 20.0,
    secrets: tuple[str, ...] = (),
) -> Told:  # fmt: skip
    to = target(Command(arguments, folder), timeout, 20.0, secrets)
    (came,) = delivery.deliver(told, [to])
    return came


def python(
    told: Notification, folder: pathlib.Path, code: str, timeout: float = 20.0,
    secrets: tuple[str, ...] = (),
) -> Told:  # fmt: skip
    return tell(told, folder, sys.executable, '-c', code, timeout=timeout, secrets=secrets)


def test_command_gets_the_json_and_the_facts(told: Notification, tmp_path: pathlib.Path) -> None:
    code = (
        'import json, os, sys; json.dump([json.load(sys.stdin), os.getcwd(), '
        '{k: v for k, v in os.environ.items() if k.startswith("THAWLINE_")}], open("got", "w"))'
    )
    came = python(told, tmp_path, code)
    assert came.done and came.sentence == 'exit code 0'
    assert came.shown == f'command {pathlib.Path(sys.executable).name}'
    given, folder, facts = json.loads((tmp_path / 'got').read_text('utf-8'))
    assert given == told.model_dump()
    assert folder == str(tmp_path)
    assert facts['THAWLINE_EVENT'] == 'failed' and facts['THAWLINE_PROJECT'] == 'stones'
    assert facts['THAWLINE_EXIT_CODE'] == '0' and facts['THAWLINE_MODEL'] == ''


def test_facts_survive_what_no_variable_can_hold(
    told: Notification, tmp_path: pathlib.Path
) -> None:
    ending = gather.Ending('r', Outcome.CRASHED, 1.0, (), 'bad\0name \udc80 ' + 'x' * 10**6)
    details = gather.details(ending, 'stones', 0.8)
    came = python(
        body.Notification(type='t', timestamp='', data=details),
        tmp_path,
        'import os; assert "badname ? xxx" in os.environ["THAWLINE_ERROR"]',
    )
    assert came.done, came.sentence


def test_relative_program_is_the_projects(told: Notification, tmp_path: pathlib.Path) -> None:
    script = tmp_path / 'tell.sh'
    script.write_text('#!/bin/sh\ncat > got\n', 'utf-8')
    script.chmod(0o755)
    assert tell(told, tmp_path, './tell.sh').done
    assert json.loads((tmp_path / 'got').read_text('utf-8'))['type'] == 'run.failed'


def test_failing_command_is_told_with_its_output(
    told: Notification, tmp_path: pathlib.Path
) -> None:
    code = 'print("x" * 10**6); print("no such channel, hunter2hunter2"); raise SystemExit(3)'
    came = python(told, tmp_path, code, secrets=('hunter2hunter2',))
    assert not came.done and came.tries == 1
    assert came.said.startswith('exit code 3: x')
    assert 'hunter2' not in came.said and len(came.said) < 330
    came = python(told, tmp_path, 'raise SystemExit("no such channel")')
    assert came.said == 'exit code 1: no such channel'


def test_exit_code_75_asks_for_another_try(
    hurried, told: Notification, tmp_path: pathlib.Path
) -> None:
    script = '[ -e been ] && exit 0; touch been; exit 75'
    came = tell(told, tmp_path, 'sh', '-c', script)
    assert came.done and came.tries == 2


def test_command_that_is_not_there(told: Notification, tmp_path: pathlib.Path) -> None:
    came = tell(told, tmp_path, 'no-such-program-here')
    assert not came.done and came.said == 'cannot be run: no such file or directory'
    (tmp_path / 'plain').write_text('x', 'utf-8')
    assert tell(told, tmp_path, './plain').said == 'cannot be run: permission denied'


def test_command_that_reads_nothing(told: Notification, tmp_path: pathlib.Path) -> None:
    details = told.data.model_copy(update={'text': 'x' * 10**6})  # more than a pipe holds
    assert tell(told.model_copy(update={'data': details}), tmp_path, 'true').done


def test_command_killed_by_a_signal(told: Notification, tmp_path: pathlib.Path) -> None:
    assert tell(told, tmp_path, 'sh', '-c', 'kill -9 $$').said == 'killed by signal 9'


def test_slow_command_is_ended_with_all_that_it_started(
    told: Notification, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, '_PATIENCE', 0.3)
    # A child that ignores SIGTERM, in the background.
    script = "(trap '' TERM; while :; do sleep 0.05; date +%s%N > alive; done) & sleep 60"
    began = time.monotonic()
    came = tell(told, tmp_path, 'sh', '-c', script, timeout=0.7)
    assert time.monotonic() - began < 20
    assert not came.done and came.said == 'ended because it took longer than 0.7 s'
    time.sleep(0.2)
    before = (tmp_path / 'alive').read_text('utf-8')
    time.sleep(0.4)
    assert (tmp_path / 'alive').read_text('utf-8') == before


def test_command_is_ended_when_nobody_waits(told: Notification, tmp_path: pathlib.Path) -> None:
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    began = time.monotonic()
    came = command.run(Command(('sleep', '60'), tmp_path), b'{}', told.data, 60.0, (), stop)
    assert not came.done and time.monotonic() - began < 20
