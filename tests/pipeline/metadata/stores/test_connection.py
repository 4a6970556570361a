"""A real PostgreSQL, reached or not, and what is said then."""

from __future__ import annotations

import contextlib
import os
import pathlib
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests import fork_server, postgresql
from thawline import ROOT
from thawline.components.shared.errors import ConfigError, NotFound, Unavailable, UserError
from thawline.pipeline.config.metadata import PostgreSQL
from thawline.pipeline.metadata.stores import connection
from thawline.pipeline.metadata.stores import postgresql as server
from thawline.pipeline.system.ports import free_port

pytestmark = [postgresql.needs_postgresql, pytest.mark.slow]


@contextlib.contextmanager
def listening(answer: Callable[[socket.socket], object]) -> Iterator[int]:
    """A port where `answer` deals with whoever calls."""
    with socket.create_server(('127.0.0.1', 0)) as door:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    guest, _ = door.accept()
                    with guest:
                        answer(guest)

        threading.Thread(target=serve, daemon=True).start()
        yield door.getsockname()[1]


def refused(wanted: PostgreSQL, kind: type[UserError] = ConfigError) -> str:
    began = time.monotonic()
    described = connection.postgresql_config(wanted, pathlib.Path('/'))
    with pytest.raises(kind) as raised, server.session(described):
        raise AssertionError('let in')
    assert time.monotonic() - began < 30
    assert postgresql.PASSWORD not in str(raised.value)
    return str(raised.value)


def test_nobody_answers(running):
    free = free_port()
    told = refused(running.settings(port=free), Unavailable)
    assert f'127.0.0.1:{free}: Connection refused' in told
    assert 'cannot reach' in refused(running.settings(host='no.such.host.invalid'), Unavailable)
    assert 'cannot reach' in refused(running.settings(host='/nowhere'), Unavailable)


def test_a_server_that_takes_the_call_and_stays_silent(running, monkeypatch):
    assert server._LOGIN_SECONDS == 8
    monkeypatch.setattr(server, '_LOGIN_SECONDS', 1.0)
    with listening(lambda guest: guest.recv(10_000) and time.sleep(5)) as port:
        assert 'no answer within 1 s' in refused(running.settings(port=port), Unavailable)


def test_something_else_answers(running):
    def http(guest: socket.socket) -> None:
        guest.recv(10_000)
        guest.sendall(b'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')
        guest.shutdown(socket.SHUT_WR)

    with listening(http) as port:
        assert 'closed the connection' in refused(running.settings(port=port), Unavailable)


def test_who_is_not_let_in_is_told_why(running, monkeypatch, tmp_path):
    assert 'no database' in refused(running.settings(), NotFound)
    assert 'check --create' in refused(running.settings(), NotFound)
    assert 'password authentication failed' in refused(running.settings(user='nobody'))
    told = refused(running.settings(password_env=None))
    assert 'password_env or passfile' in told
    monkeypatch.setenv('OTHER', 'wr0ng-password')
    told = refused(running.settings(password_env='OTHER'))
    assert 'the password came from OTHER' in told and 'wr0ng-password' not in told
    monkeypatch.delenv('OTHER')
    assert 'environment variable OTHER is not set' in refused(
        running.settings(password_env='OTHER')
    )


def test_a_passfile_and_a_socket_lead_in(running, tmp_path):
    escaped = postgresql.PASSWORD.replace('\\', '\\\\').replace(':', '\\:')
    path = tmp_path / 'pass'
    path.write_text(f'*:{running.port}:*:{postgresql.USER}:{escaped}\n', 'utf-8')
    path.chmod(0o600)
    by_file = {'password_env': None, 'passfile': str(path)}
    wanted = running.settings(database='postgres', **by_file)
    with server.session(connection.postgresql_config(wanted, tmp_path)) as session:
        assert session.run('select current_user') == [[postgresql.USER]]
    wanted = running.settings(database='postgres', host=str(running.folder), **by_file)
    with server.session(connection.postgresql_config(wanted, tmp_path)) as session:
        assert session.run('select inet_server_addr() is null') == [[True]]


def test_a_server_that_wants_encryption_is_said_to(running):
    """ML Metadata's client has none: it must not be let in by our own session first."""
    rules = running.folder / 'data' / 'pg_hba.conf'
    before = rules.read_text('utf-8')
    described = running.described()
    try:
        rules.write_text('local all all trust\nhostssl all all all scram-sha-256\n', 'utf-8')
        with running.boss() as session:
            session.run('select pg_reload_conf()')
        time.sleep(0.5)
        told = refused(running.settings(described.postgresql.dbname))
        assert 'no encryption' in told and 'tunnel' in told
    finally:
        rules.write_text(before, 'utf-8')
        with running.boss() as session:
            session.run('select pg_reload_conf()')


def test_commands_end_with_the_message_alone(running, tmp_path):
    (tmp_path / 'thawline.yaml').write_text(
        'name: x\ndata: {source: images}\n'
        'metadata: {postgresql: {host: 127.0.0.1, port: 9, database: d, user: u}}\n',
        'utf-8',
    )
    for command in (['run'], ['runs'], ['models'], ['metadata', 'check']):
        done = subprocess.run(
            [*fork_server.command(), *command], cwd=tmp_path, text=True,
            env={**os.environ, 'PYTHONPATH': str(ROOT)}, capture_output=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 7, command
        assert '127.0.0.1:9: Connection refused' in done.stdout + done.stderr
        assert 'Traceback' not in done.stdout + done.stderr


def test_the_doctor_asks_the_server(running, tmp_path):
    from thawline.pipeline.commands import doctor
    from thawline.pipeline.environment import checks

    assert doctor.check_metadata(tmp_path).status is checks.Status.OK
    file = tmp_path / 'thawline.yaml'
    file.write_text('name: x\ndata: {source: i}\n', 'utf-8')
    assert 'SQLite' in doctor.check_metadata(tmp_path).detail
    section = running.section('postgres')
    file.write_text(f'name: x\ndata: {{source: i}}\nmetadata: {section}\n', 'utf-8')
    found = doctor.check_metadata(tmp_path)
    assert found.status is checks.Status.OK and found.detail.startswith('PostgreSQL ')
    section = section.replace(f'port: {running.port}', 'port: 9')
    file.write_text(f'name: x\ndata: {{source: i}}\nmetadata: {section}\n', 'utf-8')
    found = doctor.check_metadata(tmp_path)
    assert found.status is checks.Status.FAIL and 'cannot reach' in found.detail
    file.write_text('name: 7', 'utf-8')
    assert doctor.check_metadata(tmp_path).status is checks.Status.WARN
