"""Two at once: one wins, the other is told so."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests import fork_server
from tests.pipeline.registry.made_models import Models
from thawline import ROOT
from thawline.pipeline.registry import lock


def start(models: Models, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*fork_server.command(), *arguments],
        cwd=models.home, env={**os.environ, 'PYTHONPATH': str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_the_second_is_told_who_is_at_work(tmp_path):
    path = tmp_path / 'serving' / 'lock'
    told = r'thawline promote 12 by .*@.* \(process \d+, since'
    with (
        lock.hold(path, 'promote 12'),
        pytest.raises(lock.Busy, match=told),
        lock.hold(path, 'prune'),
    ):
        raise AssertionError('held twice')
    with lock.hold(path, 'prune'):
        assert 'prune' in path.read_text('utf-8')


@pytest.mark.slow
def test_two_promotes_at_once(models: Models):
    a, b = models.add('ra', size=30_000_000), models.add('rb', size=30_000_000)
    both = [start(models, 'promote', str(id_), '--yes') for id_ in (a, b)]
    ended = [one.communicate(timeout=300) for one in both]
    codes = [one.returncode for one in both]
    assert sorted(codes) in ([0, 2], [0, 6]), ended
    told = ended[codes.index(max(codes))][1]
    reason = {6: 'is changing the served models', 2: 'production has changed'}
    assert reason[max(codes)] in told
    winner = (a, b)[codes.index(0)]
    registry = models.registry()
    assert [move.model for move in registry.deployments if move.state == 'complete'] == [winner]
    assert models.versions() == [1]


@pytest.mark.parametrize(('answer', 'code', 'served'), [('n', 1, []), ('y', 0, [1])])
def test_the_question_on_a_terminal(models: Models, answer, code, served):
    models.promote(models.add('r1'))
    models.promote(models.add('r2'))
    mine, theirs = os.openpty()
    asked = subprocess.Popen(
        [*fork_server.command(), 'rollback'],
        cwd=models.home, env={**os.environ, 'PYTHONPATH': str(ROOT)}, stdin=theirs,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.write(mine, f'{answer}\n'.encode())
    told, _ = asked.communicate(timeout=120)
    os.close(mine)
    os.close(theirs)
    assert asked.returncode == code, told
    assert 'again? [y/N]' in told
    assert models.versions() == [1, 2, *(2 + one for one in served)]
    assert ('nothing was changed' in told) == (code == 1)


def test_reading_commands_need_no_tensorflow(models: Models):
    models.promote(models.add('r1'))
    code = (
        'import sys, click.testing; from thawline.pipeline import cli; '
        'done = [click.testing.CliRunner().invoke(cli.main, [*c, sys.argv[1]]) for c in '
        "(['models'], ['history'], ['explain', 'last'], ['prune', '--dry-run'])]; "
        "heavy = {'tensorflow', 'tfx', 'apache_beam', 'keras', 'scipy'} & set(sys.modules); "
        "sys.exit(' '.join(sorted(heavy)) + str([d.exit_code for d in done]))"
    )
    done = subprocess.run(
        [sys.executable, '-c', code, str(models.home)], cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.stderr.strip() == '[0, 0, 0, 0]'
