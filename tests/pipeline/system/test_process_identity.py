"""Whether a process still lives, also where its number was given to another one."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time

import pytest

from thawline.pipeline.system.process_identity import ProcessIdentity

OWN = ProcessIdentity.own()


def test_this_process_lives() -> None:
    assert OWN.is_dead is False
    assert ProcessIdentity.read(OWN.text) == OWN


@pytest.mark.parametrize(
    ('changes', 'is_dead'),
    [
        ({'started': OWN.started - 1}, True),  # another process has its number now
        ({'boot': 'before'}, True),  # the machine was restarted
        ({'host': 'elsewhere'}, None),
        ({'host': 'elsewhere', 'boot': 'other'}, None),
        ({'namespace': 'pid:[1]'}, None),  # of another container
    ],
)
def test_others(changes: dict[str, object], is_dead: bool | None) -> None:
    assert dataclasses.replace(OWN, **changes).is_dead is is_dead


def test_a_process_that_ends() -> None:
    code = (
        'from thawline.pipeline.system.process_identity import ProcessIdentity\n'
        'print(ProcessIdentity.own().text, flush=True)\ninput()\n'
    )
    pipe = subprocess.PIPE
    command = [sys.executable, '-c', code]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        identity = ProcessIdentity.read(process.stdout.readline())
        assert identity is not None and identity.pid == process.pid
        assert identity.is_dead is False
        process.kill()
        process.stdout.read()
        deadline = time.monotonic() + 10
        while not identity.is_dead:  # though nobody asked yet how it ended
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert identity.is_dead is True


@pytest.mark.parametrize('text', ['', 'x', '[]', '{}', '{"pid": 1}', '3'])
def test_what_is_no_identity(text: str) -> None:
    assert ProcessIdentity.read(text) is None
