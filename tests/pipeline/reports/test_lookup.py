"""review, report and compare: which run is meant, what is written, what is said when it is gone."""

from __future__ import annotations

import base64
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from tests import fork_server, made_report
from tests.made_runs import Runs, rows
from thawline import ROOT
from thawline.components.report import content
from thawline.components.shared.errors import Busy, ConfigError, NotFound
from thawline.pipeline import cli
from thawline.pipeline.commands import review
from thawline.pipeline.reports import lookup
from thawline.pipeline.system import signals

FIRST, SECOND = '20260102-100000.000', '20260102-110000.000'
BARE = '20260103-100000.000'


@pytest.fixture
def runs(tmp_path: pathlib.Path) -> Runs:
    """Two runs with reports, then one without."""
    found = Runs(tmp_path)
    found.add(FIRST, rows(14, 6, 'test'), config={'seed': 0})
    found.add(SECOND, rows(20, 0, 'test'), config={'seed': 1})
    return found


def thawline(runs: Runs, *arguments: str) -> Result:
    return CliRunner().invoke(cli.main, [*arguments], env={'COLUMNS': '200'})


def project(runs: Runs) -> str:
    return str(runs.home)


def refused(done: Result, *parts: str) -> None:
    assert done.exit_code == 2, done.output
    assert done.stderr.startswith('error: ')
    for part in parts:
        assert part in done.stderr


def test_a_run_by_its_id_its_beginning_and_the_last(runs):
    for wanted, run in ((FIRST, FIRST), ('20260102-10', FIRST), ('last', SECOND)):
        assert lookup.find_report(runs.store, wanted).run.id == run


def test_what_is_read_is_what_was_written(runs):
    found = lookup.find_report(runs.store, SECOND)
    assert content.to_json(found.content) == found.file('json').read_text('utf-8')


@pytest.mark.parametrize(
    ('wanted', 'part'),
    [
        ('2027', f"no run '2027'; the newest are: {SECOND}, {FIRST}"),
        ('2026', f"2 runs begin with '2026': {SECOND}, {FIRST}"),
        ('', "no run ''"),
    ],
)
def test_no_such_run(runs, wanted, part):
    kind = ConfigError if 'runs begin' in part else NotFound
    with pytest.raises(kind) as error:
        lookup.find_report(runs.store, wanted)
    assert part in str(error.value)


def test_a_run_without_a_report_names_those_with_one(runs):
    runs.add(BARE, rows(3, 0), report=False)
    done = thawline(runs, 'report', 'last', project(runs))
    refused(done, f'run {BARE} has no report', f'{SECOND}, {FIRST}')
    refused(thawline(runs, 'compare', FIRST, BARE, project(runs)), f'run {BARE} has no report')


def test_a_report_that_was_deleted_since(runs):
    gone = runs.output / 'artifacts' / SECOND / 'report' / 'report.html'
    gone.unlink()
    done = thawline(runs, 'review', SECOND, project(runs), '--no-open')
    refused(done, str(gone), f'runs with a report: {FIRST}')


def test_a_report_of_another_version(runs):
    path = runs.output / 'artifacts' / FIRST / 'report' / 'content.json'
    for damage in ({'format': 99}, {'verdict': None}):
        path.write_text(json.dumps({**json.loads(path.read_text('utf-8')), **damage}), 'utf-8')
        done = thawline(runs, 'report', FIRST, project(runs))
        refused(done, str(path), 'thawline run --only Report')


@pytest.mark.parametrize('command', [('review',), ('report',), ('compare', 'a', 'b')])
def test_before_anything_ran(tmp_path, command):
    (tmp_path / 'thawline.yaml').write_text('name: x\ndata: {source: images}\n', 'utf-8')
    extra = ('last',) if len(command) == 1 else ()
    done = CliRunner().invoke(cli.main, [*command, *extra, str(tmp_path)])
    refused(done, 'no run yet', 'thawline run')


def test_report_as_markdown_and_copies(runs, tmp_path):
    done = thawline(runs, 'report', FIRST, project(runs))
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith('## ') and 'garden insects' in done.stdout
    folder = runs.output / 'artifacts' / FIRST / 'report'
    for kind, name in (('html', 'report.html'), ('json', 'content.json')):
        out = tmp_path / 'new' / f'copy.{kind}'
        done = thawline(runs, 'report', FIRST, project(runs), '--format', kind, '--out', str(out))
        assert done.stdout == f'{out}\n'
        assert out.read_bytes() == (folder / name).read_bytes()
    printed = thawline(runs, 'report', FIRST, project(runs), '--format', 'json')
    assert json.loads(printed.stdout)['run'] == FIRST


def test_a_path_alone_is_the_project(runs):
    done = thawline(runs, 'report', project(runs))
    assert done.exit_code == 0, done.output
    assert f'Run {SECOND}' in done.stdout


def test_a_file_that_cannot_be_written(runs, tmp_path):
    (tmp_path / 'file').write_text('')
    out = str(tmp_path / 'file' / 'x.md')
    refused(thawline(runs, 'report', FIRST, project(runs), '--out', out), out, 'cannot write')


def test_compare_writes_a_page_and_says_what_came_of_it(runs):
    done = thawline(runs, 'compare', FIRST, SECOND, project(runs))
    assert done.exit_code == 0, done.output
    path = runs.output / 'comparisons' / f'{FIRST}-{SECOND}.html'
    assert done.stdout.startswith('B is better than A (p = 0.031). ')
    assert '20 images that neither has seen, only B answers 6 correctly' in done.stdout
    assert 'p = 0.031' in done.stdout
    assert str(path) in done.stdout
    assert re.search(r'A +[\d.]+ %  B +[\d.]+ %  \+[\d.]+ points \(95 % interval', done.stdout)
    page = path.read_text('utf-8')
    assert page.count('class="picture-card"') == 6
    # No example is left to draw them from.
    assert page.count('<span class="gone">deleted</span>') == 6


def test_compare_in_markdown(runs):
    done = thawline(runs, 'compare', FIRST, 'last', project(runs), '--format', 'md')
    assert done.stdout.startswith('## B is better than A: garden insects')
    assert not (runs.output / 'comparisons').exists()


def test_compare_takes_two_runs_that_can_be_compared(runs):
    refused(thawline(runs, 'compare', SECOND, 'last', project(runs)), 'the same run', SECOND)
    runs.add(BARE, [('test0', 'test', 'wasp', 'wasp')], ('moth', 'wasp'))
    done = thawline(runs, 'compare', FIRST, BARE, project(runs))
    refused(done, 'ant, bee against moth, wasp')


def test_compare_without_predictions(runs):
    shutil.rmtree(runs.output / 'artifacts' / FIRST / 'evaluation' / 'predictions')
    done = thawline(runs, 'compare', FIRST, SECOND, project(runs))
    assert done.exit_code == 4
    assert 'cannot be read' in done.stderr


PAGE = (
    b'<!DOCTYPE html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" '
    b'content="default-src &#39;none&#39;">'
)


@pytest.fixture
def port() -> Iterator[int]:
    with review.server(PAGE) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield serving.server_port
        serving.shutdown()
        thread.join()


def ask(port: int, method: str = 'GET', path: str = '/', host: str | None = None):
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=10)
    connection.request(method, path, headers={'Host': host or f'127.0.0.1:{port}'})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def test_the_page_and_nothing_else_is_served(port):
    answer, body = ask(port)
    assert (answer.status, body) == (200, PAGE)
    assert answer.headers['Content-Security-Policy'] == (
        "default-src 'none'; frame-ancestors 'none'"
    )
    assert answer.headers['X-Content-Type-Options'] == 'nosniff'
    answer, body = ask(port, 'HEAD')
    assert (answer.status, body) == (200, b'')
    assert answer.headers['Content-Length'] == str(len(PAGE))
    for path in ('/report.html', '/../../etc/passwd', '/%2e%2e/'):
        assert ask(port, path=path)[0].status == 404
    for method in ('POST', 'PUT', 'DELETE', 'OPTIONS'):
        assert ask(port, method)[0].status == 501


def test_a_foreign_name_for_this_machine_is_refused(port):
    assert ask(port, host='evil.example')[0].status == 421
    assert ask(port, host=f'localhost:{port}')[0].status == 200


def test_the_server_is_on_the_loopback_interface_alone():
    with review.server(PAGE) as serving:
        assert serving.server_address[0] == '127.0.0.1'


def test_a_port_that_is_taken():
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        number = taken.getsockname()[1]
        with pytest.raises(Busy, match=f'--port: {number} on 127.0.0.1 cannot be used'):
            review.server(PAGE, number)


def test_a_signal_while_a_request_is_taken_ends_the_server(monkeypatch):
    def interrupted(*_: object) -> None:
        raise signals.Interrupted('SIGINT')

    with review.server(PAGE) as serving:
        monkeypatch.setattr(serving, 'process_request', interrupted)
        with (
            socket.create_connection(('127.0.0.1', serving.server_port)),
            pytest.raises(signals.Interrupted),
        ):
            serving.handle_request()


@pytest.mark.parametrize('stop', [signal.SIGINT, signal.SIGTERM])
def test_review_prints_its_address_serves_and_ends_when_told(stop, runs):
    process = subprocess.Popen(
        [*fork_server.command(), 'review', FIRST, project(runs), '--no-open'],
        env={**os.environ, 'PYTHONPATH': str(ROOT), 'COLUMNS': '200'},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith(f'report of run {FIRST}: http://127.0.0.1:')
        port = int(line.rstrip('/\n').rpartition(':')[2])
        page = (runs.output / 'artifacts' / FIRST / 'report' / 'report.html').read_bytes()
        answer, body = ask(port)
        assert body == page
        assert "script-src 'sha256-" in answer.headers['Content-Security-Policy']
        process.send_signal(stop)
        _, errors = process.communicate(timeout=30)
        assert (process.returncode, errors) == (0, '')
    finally:
        process.kill()
        process.communicate()


def test_no_command_of_these_needs_tensorflow(runs):
    code = (
        'import sys; from thawline.pipeline.commands import compare, report, review; '
        'sys.exit(", ".join({"tensorflow", "tfx", "apache_beam", "keras"} & set(sys.modules)) '
        'or None)'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_pictures_that_no_report_shows_come_from_the_examples(runs):
    from tests.components.report import report_inputs

    folder = runs.examples / 'Split-test'
    folder.mkdir(parents=True)
    image = base64.b64decode(made_report.thumbnail(3).partition(',')[2])
    kept = [report_inputs.Drawn(f'test{i}', f'test{i}.jpg', 'ant', image) for i in range(16)]
    report_inputs.write(folder / 'data.gz', kept)
    done = thawline(runs, 'compare', FIRST, SECOND, project(runs))
    assert done.exit_code == 0, done.output
    page = (runs.output / 'comparisons' / f'{FIRST}-{SECOND}.html').read_text('utf-8')
    # test14 to test19 flipped.
    assert page.count('src="data:image/jpeg;base64,') == 2
    assert page.count('<span class="gone">deleted</span>') == 4
