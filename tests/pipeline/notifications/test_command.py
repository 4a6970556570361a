"""Notification commands: real ones, good, bad, absent, deaf and slow."""

from __future__ import annotations

import json
import pathlib
import sys
import threading
import time

import pytest

from tests.pipeline.notifications.conftest import target
from thawline.pipeline.notifications import body, command, delivery
from thawline.pipeline.notifications import details as details_lib
from thawline.pipeline.notifications.body import Notification
from thawline.pipeline.notifications.delivery import Delivery
from thawline.pipeline.notifications.targets import Command
from thawline.pipeline.terminal.exit_codes import Outcome


def tell(
    notification: Notification, folder: pathlib.Path, *arguments: str, timeout: float = 20.0,
    secrets: tuple[str, ...] = (),
) -> Delivery:  # fmt: skip
    to = target(Command(arguments, folder), timeout, 20.0, secrets)
    (result,) = delivery.deliver(notification, [to])
    return result


def python(
    notification: Notification, folder: pathlib.Path, code: str, timeout: float = 20.0,
    secrets: tuple[str, ...] = (),
) -> Delivery:  # fmt: skip
    return tell(notification, folder, sys.executable, '-c', code, timeout=timeout, secrets=secrets)


def test_command_gets_the_json_and_the_facts(
    notification: Notification, tmp_path: pathlib.Path
) -> None:
    code = (
        'import json, os, sys; json.dump([json.load(sys.stdin), os.getcwd(), '
        '{k: v for k, v in os.environ.items() if k.startswith("THAWLINE_")}], open("got", "w"))'
    )
    result = python(notification, tmp_path, code)
    assert result.succeeded and result.summary == 'exit code 0'
    assert result.target == f'command {pathlib.Path(sys.executable).name}'
    given, folder, facts = json.loads((tmp_path / 'got').read_text('utf-8'))
    assert given == notification.model_dump()
    assert folder == str(tmp_path)
    assert facts['THAWLINE_EVENT'] == 'failed' and facts['THAWLINE_PROJECT'] == 'stones'
    assert facts['THAWLINE_EXIT_CODE'] == '0' and facts['THAWLINE_MODEL'] == ''


def test_facts_survive_what_no_variable_can_hold(
    notification: Notification, tmp_path: pathlib.Path
) -> None:
    ending = details_lib.Ending('r', Outcome.CRASHED, 1.0, (), 'bad\0name \udc80 ' + 'x' * 10**6)
    details = details_lib.of_ending(ending, 'stones', 0.8)
    result = python(
        body.Notification(type='t', timestamp='', data=details),
        tmp_path,
        'import os; assert "badname ? xxx" in os.environ["THAWLINE_ERROR"]',
    )
    assert result.succeeded, result.summary


def test_relative_program_is_the_projects(
    notification: Notification, tmp_path: pathlib.Path
) -> None:
    script = tmp_path / 'tell.sh'
    script.write_text('#!/bin/sh\ncat > got\n', 'utf-8')
    script.chmod(0o755)
    assert tell(notification, tmp_path, './tell.sh').succeeded
    assert json.loads((tmp_path / 'got').read_text('utf-8'))['type'] == 'run.failed'


def test_failing_command_is_told_with_its_output(
    notification: Notification, tmp_path: pathlib.Path
) -> None:
    code = 'print("x" * 10**6); print("no such channel, hunter2hunter2"); raise SystemExit(3)'
    result = python(notification, tmp_path, code, secrets=('hunter2hunter2',))
    assert not result.succeeded and result.attempts == 1
    assert result.message.startswith('exit code 3: x')
    assert 'hunter2' not in result.message and len(result.message) < 330
    result = python(notification, tmp_path, 'raise SystemExit("no such channel")')
    assert result.message == 'exit code 1: no such channel'


def test_exit_code_75_asks_for_another_try(
    hurried, notification: Notification, tmp_path: pathlib.Path
) -> None:
    script = '[ -e been ] && exit 0; touch been; exit 75'
    result = tell(notification, tmp_path, 'sh', '-c', script)
    assert result.succeeded and result.attempts == 2


def test_command_that_is_not_there(notification: Notification, tmp_path: pathlib.Path) -> None:
    result = tell(notification, tmp_path, 'no-such-program-here')
    assert not result.succeeded and result.message == 'cannot be run: no such file or directory'
    (tmp_path / 'plain').write_text('x', 'utf-8')
    assert tell(notification, tmp_path, './plain').message == 'cannot be run: permission denied'


def test_command_that_reads_nothing(notification: Notification, tmp_path: pathlib.Path) -> None:
    details = notification.data.model_copy(update={'text': 'x' * 10**6})  # more than a pipe holds
    assert tell(notification.model_copy(update={'data': details}), tmp_path, 'true').succeeded


def test_command_killed_by_a_signal(notification: Notification, tmp_path: pathlib.Path) -> None:
    assert tell(notification, tmp_path, 'sh', '-c', 'kill -9 $$').message == 'killed by signal 9'


def test_slow_command_is_ended_with_all_that_it_started(
    notification: Notification, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, '_KILL_AFTER', 0.3)
    # A child that ignores SIGTERM, in the background.
    script = "(trap '' TERM; while :; do sleep 0.05; date +%s%N > alive; done) & sleep 60"
    began = time.monotonic()
    result = tell(notification, tmp_path, 'sh', '-c', script, timeout=0.7)
    assert time.monotonic() - began < 20
    assert not result.succeeded and result.message == 'killed after 0.7 s'
    time.sleep(0.2)
    before = (tmp_path / 'alive').read_text('utf-8')
    time.sleep(0.4)
    assert (tmp_path / 'alive').read_text('utf-8') == before


def test_command_is_ended_when_nobody_waits(
    notification: Notification, tmp_path: pathlib.Path
) -> None:
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    began = time.monotonic()
    result = command.run(
        Command(('sleep', '60'), tmp_path), b'{}', notification.data, 60.0, (), stop
    )
    assert not result.succeeded and time.monotonic() - began < 20
