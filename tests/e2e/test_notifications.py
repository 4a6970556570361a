"""Notifications of whole runs: crashed, interrupted, blessed."""

from __future__ import annotations

import json
import pathlib
import signal
import sqlite3

import pytest

from tests.e2e.conftest import TINY_BASE, Project
from tests.e2e.test_interruption import wait_for
from tests.pipeline.notifications.receiver import Receiver, listening

pytestmark = pytest.mark.e2e

SECRET = 'whsec_' + 'QUJD' * 8
TOKEN = 'verysecrettoken99'
PROBE = '{mode: probe}'


def told(server: Receiver) -> dict:
    """The one notification that came since the last look."""
    (request,) = server.requests
    server.requests.clear()
    assert request.headers['webhook-signature'].startswith('v1,')
    sent = json.loads(request.body)
    assert sent['type'] == f'run.{sent["data"]["event"]}'
    return sent['data']


def test_every_ending_is_told(make_project, monkeypatch: pytest.MonkeyPatch) -> None:
    project: Project = make_project()
    monkeypatch.setenv('NO_PROXY', '127.0.0.1')
    monkeypatch.setenv('HOOK_SECRET', SECRET)
    with listening() as server:
        monkeypatch.setenv('HOOK', f'{server.url}/services/{TOKEN}')
        targets = (
            '[{webhook_env: HOOK, secret_env: HOOK_SECRET}, {command: [sh, -c, "cat > got.json"]}]'
        )

        project.write(model=TINY_BASE, training=PROBE, notifications=targets)
        in_the_way = project.output / 'artifacts' / 'ImageExampleGen'
        in_the_way.parent.mkdir(parents=True)
        in_the_way.write_text('a file where the node makes a folder')
        crashed = project.thawline('run')
        assert crashed.returncode == 1, crashed.stdout + crashed.stderr
        data = told(server)
        assert data['event'] == 'failed' and data['error']['node'] == 'ImageExampleGen'
        assert str(in_the_way) in data['error']['message'] and data['verdict'] is None

        in_the_way.unlink()
        process = project.start('run', '--to', 'Transform')
        # The crashed run has the first log.
        wait_for(
            lambda: 'StatisticsGen' in _log(project, 2) or process.poll() is not None, 300, 'node'
        )
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 130, output
        data = told(server)
        assert data['event'] == 'interrupted' and data['exit_code'] == 130
        assert 'stopped on request' in data['error']['message']

        blessed = project.thawline('run')
        assert blessed.returncode == 0, blessed.stdout + blessed.stderr
        data = told(server)
        assert data['event'] == 'blessed' and data['error'] is None
        (version,) = project.versions()
        assert data['model'] == {
            'path': str(version), 'version': version.name, 'already_there': False,
        }  # fmt: skip
        assert data['verdict']['blessed'] and data['verdict']['val']['accuracy'] > 0.6
        assert 'no blessed model' in data['verdict']['baseline']
        assert data['data']['images'] == sum(data['data']['splits'].values()) == 120
        assert pathlib.Path(data['report']).is_file() and pathlib.Path(data['log']).is_file()
        assert json.loads((project.home / 'got.json').read_text('utf-8'))['data'] == data
        assert '  sent    command sh: exit code 0' in blessed.stdout

    texts = [file.read_bytes() for file in project.home.rglob('*') if file.is_file()]
    with sqlite3.connect(project.output / 'metadata.sqlite') as store:
        texts.append('\n'.join(store.iterdump()).encode())
    store.close()
    texts += [done.stdout.encode() for done in (crashed, blessed)]
    for secret in (TOKEN, SECRET.removeprefix('whsec_')):
        assert not any(secret.encode() in text for text in texts)


def _log(project: Project, number: int) -> str:
    """The log of the run that began as number so many, or nothing before it did."""
    logs = sorted((project.output / 'logs').iterdir())
    return logs[number - 1].read_text('utf-8', 'replace') if len(logs) >= number else ''
