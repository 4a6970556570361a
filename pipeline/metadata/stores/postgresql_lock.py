"""A lock on every machine that shares a database, by PostgreSQL's advisory locks.

The server ties it to one session: a process that ends or is killed releases it at once, a machine
that is gone within a minute, by the server's keepalives.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator

from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.pipeline.metadata.stores import postgresql
from thawline.pipeline.metadata.stores.postgresql import Session
from thawline.pipeline.system import file_locks

_SESSION = {
    'tcp_keepalives_idle': '15',
    'tcp_keepalives_interval': '10',
    'tcp_keepalives_count': '4',
    'idle_session_timeout': '0',
}
# An advisory lock on a 64-bit key is listed by its halves.
_HOLDER = """
select activity.application_name from pg_locks held
  join pg_stat_activity activity on activity.pid = held.pid
  join pg_database here on here.oid = held.database and here.datname = current_database()
 where held.locktype = 'advisory' and held.granted and held.objsubid = 1
   and (held.classid::bigint << 32 | held.objid::bigint) = :key
"""


@contextlib.contextmanager
def hold(config: pb.ConnectionConfig, pipeline: str, note: str) -> Iterator[None]:
    """Holds the lock on the served models of a pipeline for the block.

    Args:
        config: from `connection.postgresql_config`.
        pipeline: its name.
        note: who holds the lock, for whoever comes second; the server keeps 63 characters.

    Raises:
        LockTaken: it is not free.
        Unavailable: the server cannot be reached.
    """
    digest = hashlib.sha256(f'what is served of {pipeline}'.encode()).digest()
    key = int.from_bytes(digest[:8], 'big', signed=True)
    with postgresql.session(config, translate_errors=False) as session:
        with postgresql.server_errors(config):
            _acquire(session, key, note)
        yield


def _acquire(session: Session, key: int, note: str) -> None:
    known = {row[0] for row in session.run('select name from pg_settings')}
    for name, value in {**_SESSION, 'application_name': note[:63]}.items():
        if name in known:
            session.run('select set_config(:name, :value, false)', name=name, value=value)
    if session.run('select pg_try_advisory_lock(:key)', key=key) == [[False]]:
        holders = session.run(_HOLDER, key=key)
        raise file_locks.LockTaken(str(holders[0][0] or '') if holders else '')
