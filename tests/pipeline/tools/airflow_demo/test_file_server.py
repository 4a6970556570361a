from __future__ import annotations

import http.client
import pathlib

import pytest

from thawline.pipeline.system import ports
from thawline.pipeline.tools.airflow_demo import file_server


def status(port: int, path: str, host: str | None = None) -> int:
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=10)
    connection.request('GET', path, headers={'Host': host or f'127.0.0.1:{port}'})
    answer = connection.getresponse()
    connection.close()
    return answer.status


@pytest.mark.parametrize(
    ('path', 'expected'),
    [('/logs/', 200), ('/logs/r.log', 200), ('/logs/../secret', 404), ('/secret', 404),
     ('/reports/%2e%2e/secret', 404), ('/reports/none.html', 404)],
)  # fmt: skip
def test_logs_and_reports_and_nothing_else(
    tmp_path: pathlib.Path, path: str, expected: int
) -> None:
    (tmp_path / 'logs').mkdir()
    (tmp_path / 'logs' / 'r.log').write_text('x')
    (tmp_path / 'secret').write_text('x')
    port = ports.free_port()
    with file_server.serve(tmp_path, port) as address:
        assert address == f'http://127.0.0.1:{port}'
        assert status(port, path) == expected
        assert status(port, path, 'evil.example') == 421
