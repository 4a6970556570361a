"""A PostgreSQL server of the tests' own: a real one, in a folder of its own, on a free port."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.pipeline.config.metadata import PostgreSQL
from thawline.pipeline.metadata.stores import connection, postgresql
from thawline.pipeline.metadata.stores.postgresql import Session
from thawline.pipeline.system.ports import free_port

# What a connection string, a URL, a passfile and SQL each have to quote, and what YAML would take
# for something else.
PASSWORD = 'pa ss\\w:or\'d"=@%'
VARIABLE = 'THAWLINE_TEST_PASSWORD'
USER = 'thaw line'
_BOSS = 'boss'
_NUMBERS = itertools.count()
_BINARIES = sorted(pathlib.Path('/usr/lib/postgresql').glob('*/bin'), reverse=True)


def binary(name: str) -> str | None:
    """A program of PostgreSQL: Debian keeps those of a server out of PATH."""
    return shutil.which(name, path=os.pathsep.join([*map(str, _BINARIES), os.environ['PATH']]))


needs_postgresql = pytest.mark.skipif(
    binary('initdb') is None, reason='PostgreSQL is not installed (Debian: apt install postgresql)'
)


@dataclasses.dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        folder: of its data, its log and its socket.
        port: on the loopback interface.
    """

    folder: pathlib.Path
    port: int

    def settings(self, database: str = '', **others: object) -> PostgreSQL:
        """How the tests' role reaches a database; by default a new one that is not there yet."""
        values: dict[str, object] = {
            'host': '127.0.0.1', 'port': self.port, 'user': USER, 'password_env': VARIABLE,
            'database': database or f'test-{os.getpid()}-{next(_NUMBERS)}',
        }  # fmt: skip
        return PostgreSQL.model_validate(values | others)

    def described(self, settings: PostgreSQL | None = None) -> pb.ConnectionConfig:
        """The description of a new, empty database, or of that in `settings`, which is made."""
        found = connection.postgresql_config(settings or self.settings(), pathlib.Path('/'))
        postgresql.create_database(found)
        return found

    @contextlib.contextmanager
    def boss(self, database: str = 'postgres') -> Iterator[Session]:
        """A session of the superuser."""
        target = connection.postgresql_config(
            PostgreSQL(host=str(self.folder), port=self.port, user=_BOSS, database=database),
            pathlib.Path('/'),
        )
        with postgresql.session(target) as session:
            yield session

    def section(self, database: str) -> str:
        """The section of a project file, in YAML's flow style."""
        told = self.settings(database).model_dump(exclude_none=True)
        return f'{{postgresql: {{{", ".join(f"{key}: {value}" for key, value in told.items())}}}}}'

    def stop(self) -> None:
        """Stops it at once, as a crash would."""
        _call('pg_ctl', self.folder, '-w', '-m', 'immediate', 'stop')


def _call(program: str, folder: pathlib.Path, *arguments: str) -> None:
    """Runs a program of PostgreSQL on the data in a folder, as the user that owns the folder."""
    done = subprocess.run(
        [str(binary(program)), '-D', str(folder / 'data'), *arguments],
        user=folder.owner(), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """Starts a server, whose role `USER` signs in with `PASSWORD`, and stops it at the end.

    Until then the password is in the environment, as `VARIABLE`.
    """
    # Not below pytest's folder, which is for its owner alone: the server is run by another user.
    folder = pathlib.Path(tempfile.mkdtemp(prefix='pg'))
    if os.geteuid() == 0:  # by whom PostgreSQL refuses to be run
        shutil.chown(folder, 'postgres')
    port = free_port()
    methods = ('--auth-local=trust', '--auth-host=scram-sha-256')
    options = f'-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off'
    started = Server(folder, port)
    try:
        _call('initdb', folder, '-U', _BOSS, *methods, '-E', 'UTF8', '--no-sync')
        _call('pg_ctl', folder, '-w', '-l', str(folder / 'log'), '-o', options, 'start')
        with started.boss() as session:
            quoted = PASSWORD.replace("'", "''")
            session.run(f'create role "{USER}" login createdb password \'{quoted}\'')
        os.environ[VARIABLE] = PASSWORD
        yield started
    finally:
        os.environ.pop(VARIABLE, None)
        if (folder / 'data' / 'postmaster.pid').exists():
            started.stop()
        shutil.rmtree(folder, ignore_errors=True)
