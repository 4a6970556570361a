"""Runs that end early, as a user starts them: each ending is notified and keeps its exit code."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

from tests import fork_server
from tests.pipeline.notifications.receiver import Answer, listening
from thawline import ROOT
from thawline.components.shared.errors import ConfigError
from thawline.pipeline.commands import notify
from thawline.pipeline.system.ports import free_port

SECRET = 'whsec_' + 'QUJD' * 8
TOKEN = 'verysecrettoken99'


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, 'PYTHONPATH': str(ROOT), 'COLUMNS': '200', **more}


def project(folder: pathlib.Path, targets: str, rest: str = '') -> None:
    """A project without an image."""
    (folder / 'images').mkdir(exist_ok=True)
    text = f'name: x\ndata: {{source: images}}\nnotifications: {targets}\n{rest}'
    (folder / 'thawline.yaml').write_text(text, 'utf-8')


def thawline(
    folder: pathlib.Path, *arguments: str, **more: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*fork_server.command(), *arguments],
        cwd=folder, env=environment(**more), capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_run_stopped_by_data_is_told_signed_and_without_a_trace(tmp_path: pathlib.Path) -> None:
    keep = 'cat > got; env | grep ^THAWLINE_ > facts'
    with listening() as server, listening() as slack:
        project(
            tmp_path,
            f'[{{webhook: "{server.url}/in", secret_env: SECRET}},'
            ' {webhook_env: SLACK, format: slack},'
            f' {{webhook: "{server.url}/no", events: [blessed]}},'
            f' {{command: [sh, -c, "{keep}"]}}]',
        )
        address = f'{slack.url}/services/{TOKEN}'
        done = thawline(tmp_path, 'run', SECRET=SECRET, SLACK=address)
    assert done.returncode == 4, done.stdout + done.stderr
    (request,) = server.requests
    assert request.path == '/in' and request.headers['webhook-signature'].startswith('v1,')
    sent = json.loads(request.body)
    assert sent['type'] == 'run.stopped_by_data' and sent['data']['exit_code'] == 4
    assert 'image' in sent['data']['error']['message']
    assert json.loads((tmp_path / 'got').read_text('utf-8')) == sent
    assert 'THAWLINE_EVENT=stopped_by_data' in (tmp_path / 'facts').read_text('utf-8')
    (message,) = slack.requests
    assert json.loads(message.body)['text'].startswith('x: STOPPED by the data')
    log = pathlib.Path(sent['data']['log'])
    assert 'notified command sh: exit code 0' in log.read_text('utf-8')
    for line in ('127.0.0.1', 'command sh: exit code 0'):
        assert f'sent    {line}' in done.stdout.replace('http://', '')
    left = [file for file in tmp_path.rglob('*') if file.is_file()]
    texts = [file.read_bytes() for file in left] + [done.stdout.encode(), done.stderr.encode()]
    assert len(left) >= 4
    for secret in (TOKEN, SECRET, SECRET.removeprefix('whsec_')):
        assert not any(secret.encode() in text for text in texts)


def test_bad_configuration_is_told_to_those_who_can_be_told(tmp_path: pathlib.Path) -> None:
    with listening() as server:
        project(tmp_path, f'[{{webhook_env: NOT_SET_HERE}}, {{webhook: "{server.url}"}}]')
        done = thawline(tmp_path, 'run')
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout.count('NOT_SET_HERE is not set') == 1
    assert 'Traceback' not in done.stdout + done.stderr
    sent = json.loads(server.requests[0].body)
    assert sent['type'] == 'run.bad_configuration'
    assert 'NOT_SET_HERE is not set' in sent['data']['error']['message']


def test_targets_that_fail_change_no_outcome(tmp_path: pathlib.Path) -> None:
    port = free_port()
    with listening(Answer(500, body=b'oh')) as server:
        project(
            tmp_path,
            f'[{{webhook: "http://127.0.0.1:{port}/x", retry_for: 1s, timeout: 1s}},'
            f' {{webhook: "{server.url}", retry_for: 1s, timeout: 1s}},'
            ' {command: ["false"]}]',
        )
        done = thawline(tmp_path, 'run')
    assert done.returncode == 4, done.stdout + done.stderr
    assert done.stdout.count('warning: ') == 3
    assert f'cannot notify http://127.0.0.1:{port}/…: connection refused' in done.stdout
    assert ': 500 Internal Server Error: oh' in done.stdout
    assert 'warning: cannot notify command false: exit code 1' in done.stdout
    (log,) = (tmp_path / 'runs' / 'x' / 'logs').iterdir()
    assert ': connection refused' in log.read_text('utf-8')


def test_ctrl_c_while_telling_keeps_the_outcome(tmp_path: pathlib.Path) -> None:
    with listening(Answer(hold=True)) as server:
        project(tmp_path, f'[{{webhook: "{server.url}"}}, {{command: [sleep, "60"]}}]')
        process = subprocess.Popen(
            [*fork_server.command(), 'run'],
            cwd=tmp_path, env=environment(), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while not server.requests and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        output, _ = process.communicate(timeout=30)
        assert time.monotonic() - began < 20
    assert process.returncode == 4, output
    assert 'notifications were cut short' in output and 'Traceback' not in output


def test_notify_lists_and_tests(tmp_path: pathlib.Path) -> None:
    with listening() as good, listening(Answer(403, body=b'invalid_token')) as bad:
        project(
            tmp_path,
            f'[{{webhook_env: SLACK, format: slack, events: [failed, blessed]}},'
            f' {{webhook: "{bad.url}/x", secret_env: SECRET}}, {{command: ["true"]}}]',
        )
        variables = {'SLACK': f'{good.url}/services/{TOKEN}', 'SECRET': SECRET}
        listed = thawline(tmp_path, 'notify', **variables)
        assert listed.returncode == 0, listed.stderr
        assert f'{good.url}/…  failed, blessed; slack; not signed' in listed.stdout
        assert f'{bad.url}/…  all events; json; signed' in listed.stdout
        assert 'nothing was sent' in listed.stdout and good.requests == bad.requests == []
        tested = thawline(tmp_path, 'notify', '--test', **variables)
        assert tested.returncode == 1, tested.stderr
        assert f'✓ {good.url}/…  200 OK' in tested.stdout
        assert f'✗ {bad.url}/…  403 Forbidden: invalid_token' in tested.stdout
        assert '✓ command true  exit code 0' in tested.stdout
        assert json.loads(bad.requests[0].body)['type'] == 'test'
        for done in (listed, tested):
            assert TOKEN not in done.stdout + done.stderr


def test_notify_succeeds_where_all_are_told(tmp_path: pathlib.Path) -> None:
    project(tmp_path, '[{command: ["true"]}]')
    assert thawline(tmp_path, 'notify', '--test').returncode == 0


def test_notify_without_somebody_to_tell(tmp_path: pathlib.Path) -> None:
    project(tmp_path, '[]')
    done = thawline(tmp_path, 'notify')
    assert done.returncode == 2
    assert 'no targets' in done.stderr and 'Traceback' not in done.stderr


@pytest.mark.parametrize('test', [False, True])
def test_notify_without_what_a_target_needs(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, test: bool
) -> None:
    monkeypatch.delenv('NOT_SET_HERE', raising=False)
    project(tmp_path, '[{webhook_env: NOT_SET_HERE}]')
    with pytest.raises(ConfigError, match='NOT_SET_HERE is not set'):
        arguments = [str(tmp_path), *(['--test'] if test else [])]
        notify.command.main(arguments, standalone_mode=False)
